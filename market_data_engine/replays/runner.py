"""Carries one run: slices of prints, candles and time marks, in the order of docs/architecture.md.

The next slice goes on the tape when all who take part have done with the one before.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from redis.asyncio import Redis

from market_data_engine.feeds.feed import Feed
from market_data_engine.history.memory import CandleMemory
from market_data_engine.metrics import CANDLES, MARKS, TICKS, WAIT
from market_data_engine.replays.clocks import Clock
from market_data_engine.replays.frames import RunFrames
from market_data_engine.store.writer import CandleWriter
from shared.candles.timeframes import MINUTE_NS
from shared.models.market import (
    Candle,
    Candles,
    RunEnded,
    RunStarted,
    TapeEntry,
    TimeMark,
    Trades,
)
from shared.redis.keys import LAST_PRICES
from shared.redis.tape import Pacer, Phase
from shared.redis.tape_writer import TapeWriter
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice, Slicer

Source = Literal["live", "replay", "synthetic"]

#: What redis-py takes as a hash's fields and values.
_Field = bytes | bytearray | memoryview | str | int | float

_MARKS_A_TRIM = 32
_PRICES_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be carried, and how."""

    id: str
    source: Source
    #: Whether the run waits for those who take part.
    paced: bool
    feed: Feed
    clock: Clock
    #: Also marks each of these steps of market time, with prints or without. None: only
    #: what has prints or ends a candle is marked.
    step_ns: int | None


@dataclass(frozen=True, slots=True)
class Lines:
    """Everything that a run writes to."""

    redis: Redis
    tape: TapeWriter
    pacer: Pacer
    frames: RunFrames
    memory: CandleMemory
    writer: CandleWriter
    #: Raises when another engine may carry the market.
    require_leadership: Callable[[], None]


class Runner:
    def __init__(
        self, run: Run, lines: Lines, candles: RunCandles, *, slice_trades: int, observer_lag: int
    ) -> None:
        self._run = run
        self._lines = lines
        self._candles = candles
        self._slicer = Slicer(slice_trades, run.step_ns or MINUTE_NS)
        self._observer_lag = observer_lag
        self._number = 0
        self._begun = False
        self._prices_due_s = 0.0
        self.ticks = 0
        #: The last mark; None before the first.
        self.now_ns: int | None = None

    async def carry(self) -> None:
        """Returns when the feed has ended and everyone has done with its last mark.

        Raises whatever makes the run fail. Cancel it to stop; call `end` in any case.
        """
        run, lines = self._run, self._lines
        await lines.pacer.begin(run.id)
        await lines.tape.open()
        lines.require_leadership()
        self._begun = True
        await lines.tape.write([RunStarted(run_id=run.id, source=run.source, paced=run.paced)])
        last_ns: int | None = None
        async with aclosing(run.feed.batches()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                for piece in self._slicer.add(batch):
                    await self._play(piece)
                last_ns = batch.at_ns[-1]
        for piece in self._slicer.finish():
            await self._play(piece)
        if last_ns is not None:
            await self._pass_time(last_ns - last_ns % MINUTE_NS + MINUTE_NS)
        await self._wait("observe", self._number)

    async def end(self) -> None:
        """Show the last state and say that the run is over, if it ever began."""
        self._candles.over = True
        if not self._begun:
            return
        self._lines.require_leadership()
        await self._lines.tape.write(
            [RunEnded(run_id=self._run.id)], self._lines.frames.forming(None)
        )
        await self._publish_prices()

    async def _play(self, piece: Slice) -> None:
        await self._pass_time(self._slicer.boundary_before(piece.first_ns))
        await self._run.clock.until(piece.mark_ns)
        completed = self._candles.add(piece)
        self._lines.frames.touch(piece.trades.symbols)
        self.ticks += len(piece.trades.at_ns)
        TICKS.inc(len(piece.trades.at_ns))
        await self._mark(piece.mark_ns, completed, piece.trades)

    async def _pass_time(self, until_ns: int) -> None:
        """Marks up to `until_ns` in which there are no prints, but candles end or time is shown."""
        while self.now_ns is not None and self.now_ns < until_ns:
            moments = [self._candles.next_end_ns()]
            if self._run.step_ns is not None:
                moments.append(self._slicer.boundary_after(self.now_ns))
            at_ns = min((moment for moment in moments if moment is not None), default=None)
            if at_ns is None or at_ns > until_ns:
                return
            await self._run.clock.until(at_ns)
            await self._mark(at_ns, self._candles.advance(at_ns), None)

    async def _mark(self, at_ns: int, completed: Sequence[Candle], trades: Trades | None) -> None:
        run, lines = self._run, self._lines
        self._number += 1
        self.now_ns = at_ns
        for candle in completed:
            lines.memory.add(candle)
            CANDLES.labels(candle.timeframe).inc()
        if completed:
            await lines.writer.put(completed, run.source)
        entries: list[TapeEntry] = [] if trades is None else [trades]
        if completed:
            entries.append(Candles(candles=list(completed)))
        lines.require_leadership()
        await lines.tape.write([*entries, self._time_mark("market")])
        await self._wait("market", self._number)
        strategy = self._time_mark("strategy")
        frames = [
            *lines.frames.completed(completed),
            *lines.frames.forming(time.monotonic()),
            lines.frames.time(strategy),
        ]
        lines.require_leadership()
        await lines.tape.write([strategy], frames)
        await self._wait("strategy", self._number)
        MARKS.inc()
        await self._now_and_then()

    def _time_mark(self, phase: Literal["market", "strategy"]) -> TimeMark:
        assert self.now_ns is not None  # the caller has set it
        return TimeMark(
            number=self._number,
            at_ns=self.now_ns,
            phase=phase,
            paced=self._run.paced,
            run_id=self._run.id,
        )

    async def _now_and_then(self) -> None:
        """What needn't be done at each mark."""
        # Looking every half lag, observers may be half a lag behind and so never exceed it.
        half = self._observer_lag // 2
        if half == 0 or self._number % half == 0:
            await self._wait("observe", self._number - (self._observer_lag - half))
        if self._run.paced and self._number % _MARKS_A_TRIM == 0:
            await self._lines.pacer.trim()
        now_s = time.monotonic()
        if now_s >= self._prices_due_s:
            self._prices_due_s = now_s + _PRICES_PAUSE_S
            await self._publish_prices()

    async def _publish_prices(self) -> None:
        prices: dict[_Field, _Field] = {
            symbol: repr(price) for symbol, price in self._candles.last_prices.items()
        }
        if prices:
            await self._lines.redis.hset(LAST_PRICES, mapping=prices)

    async def _wait(self, phase: Phase, number: int) -> None:
        if not self._run.paced or number <= 0:
            return
        started_s = time.perf_counter()
        await self._lines.pacer.wait(phase, number)
        WAIT.labels(phase).observe(time.perf_counter() - started_s)
