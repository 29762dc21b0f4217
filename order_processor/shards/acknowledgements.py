"""Acknowledging market marks: shards that finish together speak together.

Each acknowledgement is a round trip that the whole run waits for, and a process with four
shards would make four of them.
"""

import asyncio

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.models.market import TimeMark
from shared.redis import tape
from shared.redis.streams import position

log = structlog.get_logger()

_PAUSE_S = 0.2


def participant(shard: int) -> str:
    """The shard's name among those whom a paced run waits for."""
    return f"orders:{shard}"


class Acknowledgements:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        #: Shard → its last mark that is done, and the tape position that is durable.
        self._pending: dict[int, tuple[int, str]] = {}
        self._waiting = asyncio.Event()

    def done(self, shard: int, mark_number: int, committed: str) -> None:
        """All before the mark is committed; a crash would read the tape again from `committed`."""
        self._pending[shard] = (mark_number, committed)
        self._waiting.set()

    def withdraw(self, shard: int) -> None:
        """The run that the shard's mark belongs to is over, or the shard is someone else's."""
        self._pending.pop(shard, None)

    async def run(self) -> None:
        """Send until cancelled. While Redis is away it keeps trying: the run waits for it."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            pending, self._pending = self._pending, {}
            try:
                await self._send(pending)
            except RedisError as error:
                log.warning("acknowledgement_delayed", error=repr(error))
                self._pending = pending | self._pending
                self._waiting.set()
                await asyncio.sleep(_PAUSE_S)

    async def _send(self, pending: dict[int, tuple[int, str]]) -> None:
        by_mark: dict[int, list[int]] = {}
        for shard, (number, _) in pending.items():
            by_mark.setdefault(number, []).append(shard)
        for number, shards in sorted(by_mark.items()):
            oldest = min((pending[shard][1] for shard in shards), key=position)
            mark = TimeMark(number=number, at_ns=0, phase="market", paced=True)
            names = [participant(shard) for shard in shards]
            await tape.acknowledge(self._redis, names, mark, "market", committed=oldest)
