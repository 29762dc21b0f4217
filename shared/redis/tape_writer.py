"""Writing the tape: entries with ids of our own choosing.

Redis would give each entry an id by its clock; then a write that is repeated because its answer
got lost would stand on the tape twice, and an engine that slept through its lease could still
write behind its successor's back. With ids that a writer counts up from where it opened the
tape, the repetition of an entry and the entry of an overtaken writer are both refused by Redis,
since ids must rise.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.models.base import encode
from shared.models.market import TapeEntry
from shared.redis.keys import TAPE
from shared.redis.streams import newest_id, position, read_range
from shared.redis.tape import kind_of
from shared.redis.topics import Frame, add_frames, check_frames

_TOO_LOW = "equal or smaller"


class TapeTakenError(Exception):
    """Another engine has opened the tape since: write nothing more."""


class TapeWriter:
    """One run's pen. `keep` bounds the tape (about) for a run that nobody paces."""

    def __init__(self, redis: Redis, keep: int | None = None) -> None:
        self._redis = redis
        self._keep = keep
        self._base_ms = 0
        self._count = 0

    async def open(self) -> None:
        """Whoever opened it before can write no more once this one has written."""
        end_ms, _ = position(await newest_id(self._redis, TAPE))
        self._base_ms = max(time.time_ns() // 1_000_000, end_ms + 1)
        self._count = 0

    async def write(self, entries: Sequence[TapeEntry], frames: Iterable[Frame] = ()) -> None:
        """Put entries on the tape and publish frames, in order and in one round trip.

        Raises TapeTakenError, or a redis error, after which it is unknown what was written.
        """
        pipeline = self._redis.pipeline(transaction=False)
        first_id = f"{self._base_ms}-{self._count}"
        for entry in entries:
            pipeline.xadd(
                TAPE,
                {"k": kind_of(entry), "b": encode(entry)},
                id=f"{self._base_ms}-{self._count}",
                maxlen=self._keep,
                approximate=True,
            )
            self._count += 1
        add_frames(pipeline, frames)
        results = await pipeline.execute(raise_on_error=False)
        refused = [result for result in results[: len(entries)] if isinstance(result, Exception)]
        if refused:
            await self._explain(refused, first_id)
        check_frames(results[len(entries) :])

    async def _explain(self, refused: Sequence[Any], first_id: str) -> None:
        """Returns when the entries are there, put by the same write before it was repeated."""
        for error in refused:
            if not (isinstance(error, ResponseError) and _TOO_LOW in str(error)):
                raise error
        last_id = f"{self._base_ms}-{self._count - 1}"
        there = await read_range(self._redis, TAPE, first_id, last_id)
        if not there or there[-1].id != last_id:
            raise TapeTakenError(f"the tape has gone on past {first_id}")
