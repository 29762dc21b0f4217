"""Reading streams, with the types that our connections (bytes in, bytes out) really give."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from redis.asyncio import Redis

BEGINNING = "0-0"


class StreamEntry(NamedTuple):
    id: str
    fields: dict[bytes, bytes]


# The same few ids are compared over and over.
@lru_cache(maxsize=1024)
def position(entry_id: str) -> tuple[int, int]:
    """An entry id as something that compares in stream order."""
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)


def entries(raw: Any) -> list[StreamEntry]:
    """What `XRANGE` answers, as entries."""
    return [StreamEntry(entry_id.decode(), fields) for entry_id, fields in raw or []]


async def read_after(
    redis: Redis, key: str, after: str, *, count: int, block_ms: int | None
) -> list[StreamEntry]:
    """Up to `count` entries after the id `after`, oldest first.

    Waits up to `block_ms` for the first one; None doesn't wait. An empty list when none came.
    """
    return read_entries(await redis.xread({key: after}, count=count, block=block_ms))


def read_entries(answer: Any) -> list[StreamEntry]:
    """What `XREAD` of one stream answers, as entries."""
    if not answer:
        return []
    # RESP2 answers [[key, entries]], RESP3 {key: [entries]}.
    raw = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
    return entries(raw)


async def read_range(
    redis: Redis, key: str, first: str = "-", last: str = "+"
) -> list[StreamEntry]:
    """All entries from `first` to `last`, both included."""
    return entries(await redis.xrange(key, min=first, max=last))


async def newest_id(redis: Redis, key: str) -> str:
    """Id of the last entry that is on the stream now; `0-0` when it holds none."""
    return newest_of(await redis.xrevrange(key, count=1))


def newest_of(answer: Any) -> str:
    """What `XREVRANGE … COUNT 1` answers, as the id of `newest_id`."""
    newest = entries(answer)
    return newest[0].id if newest else BEGINNING
