"""What every source of market data looks like to a run."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from shared.market_files.columns import MarketColumns


class Feed(Protocol):
    """Prints and quotes in time order, in batches of bounded size that are never empty.

    How they are cut into batches says nothing: it changes no result.
    """

    @property
    def symbols(self) -> list[str]:
        """All that may come."""
        ...

    @property
    def total_ticks(self) -> int | None:
        """None when the feed has no end."""
        ...

    def batches(self) -> AsyncIterator[MarketColumns]: ...


async def read_ahead(batches: Iterator[MarketColumns]) -> AsyncIterator[MarketColumns]:
    """Make batches in a thread, one ahead of the one that is being worked on."""
    upcoming = asyncio.create_task(asyncio.to_thread(next, batches, None))
    try:
        while (batch := await asyncio.shield(upcoming)) is not None:
            upcoming = asyncio.create_task(asyncio.to_thread(next, batches, None))
            yield batch
    finally:
        # The thread can't be interrupted, and whoever closes the iterator needs it idle.
        await asyncio.wait([upcoming])
        if not upcoming.cancelled():
            upcoming.exception()
