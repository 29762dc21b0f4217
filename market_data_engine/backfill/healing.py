"""One data job: ask, compare with what is stored, write what was missing, make larger candles anew.

Every step may be repeated: what is stored already isn't missing any more, and a candle that is
written twice is there once.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from market_data_engine.backfill import cursors, repository
from market_data_engine.backfill.folding import folded, intervals
from market_data_engine.backfill.gaps import minutes, sound_starts
from market_data_engine.backfill.queue import JobQueue
from market_data_engine.backfill.repository import NewJob, moment, nanoseconds, span_of
from market_data_engine.backfill.schemas import Job
from market_data_engine.feeds.presence import Span
from market_data_engine.history.memory import CandleMemory
from market_data_engine.metrics import CANDLES_HEALED
from market_data_engine.providers.provider import Bar
from market_data_engine.providers.providers import Providers
from market_data_engine.store.store import CandleStore
from market_data_engine.store.stored import StoredCandle
from market_data_engine.store.writer import CandleWriter
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import MINUTE_NS
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

#: Candles are final so long after their end: a live run has completed its own by then.
SETTLE_NS = 60 * 1_000_000_000
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Done:
    provider: str | None
    candles: int


@dataclass(frozen=True, slots=True)
class NotYet:
    """Some of it can only be done later."""

    not_before: datetime


class StoredMinutes:
    """Candles of the store, whole ranges of them. Raises StoreAwayError."""

    def __init__(self, store: CandleStore) -> None:
        self._store = store

    async def between(
        self, symbol: str, from_ns: int, until_ns: int, timeframe: Timeframe = "1m"
    ) -> list[StoredCandle]:
        """Those that start in the range, oldest first."""
        found: list[StoredCandle] = []
        while True:
            page = await asyncio.to_thread(
                self._store.page, Symbol(symbol), timeframe, from_ns, until_ns, _PAGE
            )
            found += page
            if len(page) < _PAGE:
                return found
            from_ns = page[-1].candle.start_ns + 1


class Healer:
    """Methods raise NoProviderError, StoreAwayError, and what Postgres and Redis raise. `tell`
    shows candles that are others now to those who follow them."""

    def __init__(
        self,
        providers: Providers,
        stored: StoredMinutes,
        writer: CandleWriter,
        memory: CandleMemory,
        queue: JobQueue,
        calendar_of: Callable[[str], SessionCalendar],
        tell: Callable[[Iterable[Candle]], Awaitable[None]],
        *,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._providers = providers
        self._stored = stored
        self._writer = writer
        self._memory = memory
        self._queue = queue
        self._calendar_of = calendar_of
        self._tell = tell
        self._wall_ns = wall_ns

    async def do(self, job: Job) -> Done | NotYet:
        calendar = await asyncio.to_thread(self._calendar_of, job.symbol)
        return await (self._fold if job.kind == "fold" else self._heal)(job, calendar)

    # --- one-minute candles ----------------------------------------------------------------------

    async def _heal(self, job: Job, calendar: SessionCalendar) -> Done:
        span = span_of(job)
        wanted = {start_ns for _, start_ns in minutes(calendar, *span)}
        if job.kind == "backfill":
            wanted -= await self._sound(job.symbol, span)
        provider, written = None, 0
        if wanted:
            told = await self._providers.bars(
                job.symbol, "1m", *span, expected=_regular(calendar, span)
            )
            provider = told.provider
            now_ns = self._wall_ns()
            found = [
                StoredCandle(_candle(bar, job.symbol), provider, "healed", now_ns)
                for bar in told.rows
                if bar.start_ns in wanted
            ]
            await self._write(found)
            written = len(found)
            CANDLES_HEALED.labels(provider, job.tier).inc(written)
        await self._go_on(job, calendar, provider)
        return Done(provider, written)

    async def _sound(self, symbol: str, span: Span) -> set[int]:
        there = await self._queue.transact(
            lambda connection: cursors.spans(connection, symbol, "live", span.from_ns)
        )
        return sound_starts(await self._stored.between(symbol, *span), there)

    async def _go_on(self, job: Job, calendar: SessionCalendar, provider: str | None) -> None:
        """Larger candles, frames, the cursor; also when a death before this one left the candles
        themselves stored."""
        span = span_of(job)
        stored = await self._stored.between(job.symbol, *span)
        healed = [one for one in stored if one.quality == "healed"]
        wanted = intervals(calendar, (one.candle.start_ns for one in healed))
        now_ns = self._wall_ns()
        over = {one for one in wanted if one[2] + SETTLE_NS <= now_ns}
        await self._write_folded(job.symbol, over)
        begun_ns = nanoseconds(job.created_at)
        await self._tell(one.candle for one in healed if one.as_of_ns >= begun_ns)
        later = [_fold_of(job, start_ns, end_ns) for _, start_ns, end_ns in wanted - over]

        def work(connection: Connection) -> None:
            if provider is not None:
                told = [Span(0, span.until_ns)]
                cursors.note_spans(connection, [job.symbol], provider, told)
            repository.add(connection, later, self._queue.now())

        await self._queue.transact(work)

    # --- larger candles --------------------------------------------------------------------------

    async def _fold(self, job: Job, calendar: SessionCalendar) -> Done | NotYet:
        """The interval, in all timeframes that have it."""
        span = span_of(job)
        if span.until_ns + SETTLE_NS > self._wall_ns():
            return NotYet(moment(span.until_ns + SETTLE_NS))
        found = intervals(calendar, [span.from_ns])
        return Done(None, await self._write_folded(job.symbol, {x for x in found if x[1:] == span}))

    async def _write_folded(self, symbol: str, wanted: set[tuple[Timeframe, int, int]]) -> int:
        if not wanted:
            return 0
        from_ns, until_ns = min(one[1] for one in wanted), max(one[2] for one in wanted)
        stored = await self._stored.between(symbol, from_ns, until_ns)
        starts = [one.candle.start_ns for one in stored]
        now_ns = self._wall_ns()
        made = []
        for timeframe, start_ns, end_ns in sorted(wanted, key=lambda one: one[2]):
            parts = stored[bisect_left(starts, start_ns) : bisect_left(starts, end_ns)]
            candle = folded(parts, timeframe, start_ns, end_ns, now_ns)
            if candle is not None:
                made.append(candle)
        await self._write(made)
        await self._tell(one.candle for one in made)
        return len(made)

    # --- the store -------------------------------------------------------------------------------

    async def _write(self, candles: list[StoredCandle]) -> None:
        """Behind all that the run has completed so far; returns when they are stored. Nothing that
        the run completes or amends from now on takes the place of a healed one."""
        if not candles:
            return
        self._memory.healed.note(candles)
        await self._writer.put(candles)
        await self._writer.stored()
        self._memory.heal(candles)


def _regular(calendar: SessionCalendar, span: Span) -> int:
    """Minutes of regular hours: how many bars there are when nothing is missing."""
    return sum(1 for _, start_ns in minutes(calendar, *span) if calendar.hours_at(start_ns).regular)


def _fold_of(job: Job, start_ns: int, end_ns: int) -> NewJob:
    """For when the interval is over."""
    not_before = moment(end_ns + SETTLE_NS)
    interval = Span(start_ns, end_ns)
    return NewJob("fold", job.tier, job.symbol, interval, f"job:{job.id}", not_before)


def _candle(bar: Bar, symbol: str) -> Candle:
    """Without an average price the middle of high, low and close stands for it."""
    vwap = (bar.high + bar.low + bar.close) / 3 if bar.vwap is None else bar.vwap
    return Candle(
        Symbol(symbol), "1m", bar.start_ns, bar.start_ns + MINUTE_NS,
        bar.open, bar.high, bar.low, bar.close, bar.volume,
        # Theirs counts trades that move no high or low.
        min(bar.high, max(bar.low, vwap)), bar.trades or 0,
    )  # fmt: skip
