"""Carries a recorded or made-up market: slices of prints and quotes, candles and time marks.

The next slice goes on the tape when all who take part have done with the one before.
"""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from market_data_engine.feeds.feed import Feed
from market_data_engine.replays.clocks import Clock
from market_data_engine.replays.marks import Marks
from shared.candles.timeframes import MINUTE_NS
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice, Slicer


class Carrier(Protocol):
    """Carries one run from its begin to its end."""

    @property
    def marks(self) -> Marks: ...

    async def carry(self) -> None:
        """Returns when the feed has ended and everyone has done with its last mark.

        Raises whatever makes the run fail. Cancel it to stop; call `marks.end` in any case.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be carried, and how."""

    feed: Feed
    clock: Clock
    #: Also marks each of these steps of market time, with prints or without. None: only
    #: what has prints or ends a candle is marked.
    step_ns: int | None


class Runner:
    def __init__(
        self, recording: Recording, marks: Marks, candles: RunCandles, *, slice_trades: int
    ) -> None:
        self._recording = recording
        self.marks = marks
        self._candles = candles
        self._slicer = Slicer(slice_trades, recording.step_ns or MINUTE_NS)

    async def carry(self) -> None:
        await self.marks.begin()
        last_ns: int | None = None
        async with aclosing(self._recording.feed.batches()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                for piece in self._slicer.add(batch):
                    await self._play(piece)
                last_ns = batch.last_ns
        for piece in self._slicer.finish():
            await self._play(piece)
        if last_ns is not None:
            await self._pass_time(last_ns - last_ns % MINUTE_NS + MINUTE_NS)
        await self.marks.all_seen()

    async def _play(self, piece: Slice) -> None:
        await self._pass_time(self._slicer.boundary_before(piece.first_ns))
        await self._recording.clock.until(piece.mark_ns)
        completed = self._candles.add(piece)
        self.marks.note(piece)
        await self.marks.mark(piece.mark_ns, completed, piece.entries())

    async def _pass_time(self, until_ns: int) -> None:
        """Marks up to `until_ns` in which there is nothing, but candles end or time is shown."""
        while (now_ns := self.marks.now_ns) is not None and now_ns < until_ns:
            moments = [self._candles.next_end_ns()]
            if self._recording.step_ns is not None:
                moments.append(self._slicer.boundary_after(now_ns))
            at_ns = min((moment for moment in moments if moment is not None), default=None)
            if at_ns is None or at_ns > until_ns:
                return
            await self._recording.clock.until(at_ns)
            await self.marks.mark(at_ns, self._candles.advance(at_ns))
