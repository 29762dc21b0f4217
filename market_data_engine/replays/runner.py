"""Carries a recorded or made-up market: slices of prints and quotes, candles and time marks.

The next slice goes on the tape when all who take part have done with the one before.
"""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from market_data_engine.feeds.feed import Feed
from market_data_engine.replays.clocks import Clock
from market_data_engine.replays.marks import Marks
from market_data_engine.replays.standing import StandingQuotes
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


class Runner:
    def __init__(
        self, recording: Recording, marks: Marks, candles: RunCandles, *, slice_trades: int
    ) -> None:
        self._feed = recording.feed
        self._clock = recording.clock
        self.marks = marks
        self._candles = candles
        self._slicer = Slicer(slice_trades, self._clock.step_ns or MINUTE_NS)
        self._standing = StandingQuotes()

    async def carry(self) -> None:
        await self.marks.begin()
        last_ns: int | None = None
        async with aclosing(self._feed.batches()) as batches:  # type: ignore[type-var]
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
        while True:
            target_ns = self._clock.target_ns
            if target_ns is not None and piece.mark_ns <= target_ns:
                await self._skip(piece)
                return
            if target_ns is not None:
                await self._land(target_ns)
            before_ns = self._slicer.boundary_before(piece.first_ns)
            if await self._pass_time(before_ns) and await self._clock.until(piece.mark_ns):
                break
        completed = self._candles.add(piece)
        self.marks.note(piece)
        entries = [*self._standing.take(), *piece.entries()]
        await self.marks.mark(piece.mark_ns, completed, entries)
        self._slicer.step(self._clock.step_ns or MINUTE_NS)

    async def _pass_time(self, until_ns: int) -> bool:
        """Marks up to `until_ns` in which there is nothing, but candles end or time is shown.
        False when the run is to jump before that."""
        while (now_ns := self.marks.now_ns) is not None and now_ns < until_ns:
            moments = [self._candles.next_end_ns()]
            if self._clock.step_ns is not None:
                moments.append(self._slicer.boundary_after(now_ns))
            at_ns = min((moment for moment in moments if moment is not None), default=None)
            if at_ns is None or at_ns > until_ns:
                return True
            if not await self._clock.until(at_ns):
                return False
            await self.marks.mark(at_ns, self._candles.advance(at_ns), self._standing.take())
        return True

    async def _skip(self, piece: Slice) -> None:
        """A slice lies within its minute, and targets are whole minutes: no slice is cut by one."""
        completed = self._candles.add(piece)
        self._standing.pass_over(piece.quotes, piece.halts)
        self.marks.pass_over(piece)
        await self.marks.show(completed)
        self._clock.skipped(piece.mark_ns)

    async def _land(self, target_ns: int) -> None:
        """Time goes there in one step; what of quotes stands then comes with what is next."""
        await self.marks.show(self._candles.advance(target_ns))
        await self.marks.mark(target_ns, ())
        self._standing.settle(target_ns)
        self._clock.landed(target_ns)
