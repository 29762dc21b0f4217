"""Publishes notifications on their users' topics, whoever wrote them.

They are rows, written in the transactions of what they tell of. A number is given and committed
first, then the frame is published, then it is noted as told: what dies in between is published
again with the same number, which receivers know.
"""

import asyncio

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from order_processor.notifications import repository
from shared.redis.topics import publish_frames

log = structlog.get_logger()

_EVERY_S = 0.5
_AT_ONCE = 500


class Herald:
    """Several processes may be at it: one at a time gives numbers, and frames that are published
    twice are recognised."""

    def __init__(self, engine: Engine, redis: Redis) -> None:
        self._engine = engine
        self._redis = redis

    async def run(self) -> None:
        """Until cancelled. While a store is away it keeps trying."""
        while True:
            try:
                while await self.tell() == _AT_ONCE:
                    pass
            except (RedisError, SQLAlchemyError) as error:
                log.warning("notifications_delayed", error=repr(error))
            await asyncio.sleep(_EVERY_S)

    async def tell(self) -> int:
        """How many were published."""
        await asyncio.to_thread(repository.number_new, self._engine, _AT_ONCE)
        ids, frames = await asyncio.to_thread(repository.untold, self._engine, _AT_ONCE)
        if frames:
            await publish_frames(self._redis, frames)
            await asyncio.to_thread(repository.note_told, self._engine, ids)
        return len(ids)
