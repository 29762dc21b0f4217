"""Acknowledging market marks: shards that finish together speak together.

Each acknowledgement is a round trip that the whole run waits for, and a process with four
shards would make four of them.
"""

import asyncio
from typing import NamedTuple

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


class MarkDone(NamedTuple):
    """A market mark whose slice was applied: its number within its run, and its tape entry."""

    number: int
    run_id: str
    entry_id: str


class Acknowledgements:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        #: Shard → its last mark that is done, and the tape position that is durable.
        self._pending: dict[int, tuple[MarkDone, str]] = {}
        self._waiting = asyncio.Event()

    def done(self, shard: int, mark: MarkDone, committed: str) -> None:
        """All before the mark is committed; a crash would read the tape again from `committed`."""
        self._pending[shard] = (mark, committed)
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

    async def _send(self, pending: dict[int, tuple[MarkDone, str]]) -> None:
        by_mark: dict[tuple[int, str], list[int]] = {}
        for shard, (done, _) in pending.items():
            by_mark.setdefault((done.number, done.run_id), []).append(shard)
        for (number, run_id), shards in sorted(by_mark.items()):
            oldest = min((pending[shard][1] for shard in shards), key=position)
            mark = TimeMark(number=number, at_ns=0, phase="market", paced=True, run_id=run_id)
            names = [participant(shard) for shard in shards]
            await tape.acknowledge(self._redis, names, mark, "market", committed=oldest)
