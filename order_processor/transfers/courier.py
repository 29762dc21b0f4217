"""Completing transfers: what has left one account arrives at the other, whatever died between.

The gateway sends the arriving half itself; this is for those that it left under way. That half is
entered once, however often it is sent and by how many processes.
"""

import asyncio
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from order_processor.transfers.repository import Left, under_way
from shared.models.base import encode
from shared.models.cash import arriving_half
from shared.redis.keys import order_commands, replies, shard_of

log = structlog.get_logger()

_AT_ONCE = 100
#: A command waits while its shard has no owner: another soon after would only wait behind it.
_AGAIN_AFTER_S = 60.0


class Courier:
    def __init__(self, engine: Engine, redis: Redis, shards: int, every_s: float) -> None:
        self._engine = engine
        self._redis = redis
        self._shards = shards
        self._every_s = every_s
        #: Transfer → when its arriving half was sent last.
        self._sent: dict[UUID, float] = {}

    async def run(self) -> None:
        """Look until cancelled. While a store is away it keeps trying."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.deliver()
            except (RedisError, SQLAlchemyError) as error:
                log.warning("transfers_delayed", error=repr(error))

    async def deliver(self) -> None:
        age = timedelta(seconds=self._every_s)
        left = await asyncio.to_thread(under_way, self._engine, age, _AT_ONCE)
        now = monotonic()
        waiting = {each.entry.transfer_id for each in left}
        self._sent = {key: at for key, at in self._sent.items() if key in waiting}
        for each in left:
            assert each.entry.transfer_id is not None, "they are transfers"
            if now - self._sent.get(each.entry.transfer_id, -_AGAIN_AFTER_S) >= _AGAIN_AFTER_S:
                await self._send(each)
                self._sent[each.entry.transfer_id] = now

    async def _send(self, left: Left) -> None:
        # Nobody waits for the answer: the entry itself is what is looked for.
        command = arriving_half(
            left.account_id, left.mode, left.entry, f"courier:{uuid4().hex}", replies("courier")
        )
        stream = order_commands(shard_of(command.account_id, self._shards))
        await self._redis.xadd(stream, {"b": encode(command)})
        log.info("transfer_sent_on", transfer_id=str(command.transfer_id))
