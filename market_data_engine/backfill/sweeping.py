"""Looks for gaps, tier by tier, and puts them on the queue.

The universe is what the configuration's tiers name, and the symbols of live feeds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from market_data_engine.backfill import cursors, repository
from market_data_engine.backfill.freshness import stale_share
from market_data_engine.backfill.gaps import gaps, sound_starts
from market_data_engine.backfill.healing import SETTLE_NS, StoredMinutes
from market_data_engine.backfill.queue import JobQueue, QueueFullError
from market_data_engine.backfill.repository import Buried, NewJob, moment
from market_data_engine.feeds.following import FeedStatus
from market_data_engine.feeds.presence import Span
from market_data_engine.history.healed import HealedCandles
from market_data_engine.metrics import GAPS_FOUND, STALE_SHARE
from market_data_engine.providers.configuration import TIERS, Configuration, Tier
from market_data_engine.store.store import StoreAwayError
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import MINUTE_NS
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

#: Now and then all of the time is looked at again, not only what came since the last look.
_WHOLE_PAUSE_S = 3600.0
_TICK_S = 1.0
#: Providers that tell late may have more of these by the next look.
_LOOKED_AT_AGAIN_NS = 25 * MINUTE_NS
_CURSOR_PAUSE_S = 15.0
_FRESHNESS_PAUSE_S = 30.0
_FORGET_PAUSE_S = 3600.0
#: So long it is known where nobody traded: what was asked, and where feeds were.
_KNOWLEDGE_KEPT = timedelta(days=90)
#: Whoever had no answer is asked again for what comes after it, each time after twice as long.
_FIRST_REST = timedelta(minutes=1)
_LONGEST_REST = timedelta(hours=1)


class Sweeper:
    """`feeds`: what is known of the live feeds that are followed now; `able`: whether there is
    anybody to ask for what is missing; `fed`: whether programs asked for jobs of the tier so
    lately."""

    def __init__(
        self,
        queue: JobQueue,
        stored: StoredMinutes,
        calendar_of: Callable[[str], SessionCalendar],
        make_known: Callable[[Sequence[str]], None],
        configuration: Callable[[], Configuration],
        feeds: Callable[[], Sequence[FeedStatus]],
        live_symbols: Sequence[str],
        healed: HealedCandles,
        *,
        able: bool = True,
        fed: Callable[[Tier, float], bool] = lambda _tier, _pause_s: False,
        leads: Callable[[], bool],
        lookback: timedelta,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._queue = queue
        self._stored = stored
        self._calendar_of = calendar_of
        self._make_known = make_known
        self._configuration = configuration
        self._feeds = feeds
        self._live_symbols = live_symbols
        self._healed = healed
        self._able = able
        self._fed = fed
        self._leads = leads
        self._lookback = lookback
        self._wall_ns = wall_ns
        #: Symbol → up to where all is there or on the queue.
        self._seen_ns: dict[str, int] = {}
        self._due_s: dict[str, float] = {}

    def universe(self) -> dict[Tier, list[str]]:
        """Each symbol once; those of live feeds are in T0 unless another tier names them."""
        tiers = {tier: list(self._configuration().tiers.get(tier, [])) for tier in TIERS}
        named = {symbol for symbols in tiers.values() for symbol in symbols}
        tiers["T0"] += [symbol for symbol in self._live_symbols if symbol not in named]
        return tiers

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sweep_always(), name="sweeper")
        try:
            yield
        finally:
            await end_tasks([task])

    async def _sweep_always(self) -> None:
        while True:
            try:
                if self._leads():
                    await self._tick()
                else:
                    self._seen_ns.clear()
            except (SQLAlchemyError, RedisError, StoreAwayError) as error:
                log.warning("sweep_waits", error=repr(error))
            except Exception as error:
                log.error("sweep_fault", exc_info=error)
            await asyncio.sleep(_TICK_S)

    async def _tick(self) -> None:
        if self._is_due("cursors", _CURSOR_PAUSE_S):
            await self.note_live()
        universe = self.universe()
        if self._able:
            await self._look(universe)
        if self._is_due("freshness", _FRESHNESS_PAUSE_S):
            await self.measure(universe)
            await self._queue.statistics()
        if self._is_due("forget", _FORGET_PAUSE_S):
            before = moment(self._wall_ns()) - max(2 * self._lookback, _KNOWLEDGE_KEPT)
            await self._queue.transact(partial(self._forget, before))

    async def _look(self, universe: Mapping[Tier, Sequence[str]]) -> None:
        if self._is_due("whole", _WHOLE_PAUSE_S):
            self._seen_ns.clear()
        await self.fold_again()
        for tier, symbols in universe.items():
            cadence_s = self._configuration().cadence_s(tier)
            # While programs feed the stream of jobs they are who looks after the tier.
            if not self._fed(tier, 2 * cadence_s) and self._is_due(tier, cadence_s):
                await self.sweep(tier, symbols)

    def _forget(self, before: datetime, connection: Connection) -> None:
        repository.forget(connection, before, self._queue.now())
        cursors.forget_live(connection, before)

    def _is_due(self, what: str, pause_s: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._due_s.get(what, 0.0):
            return False
        self._due_s[what] = now_s + pause_s
        return True

    # --- cursors ---------------------------------------------------------------------------------

    async def note_live(self) -> None:
        """How far the live feeds have told."""
        now_ns = self._wall_ns()
        told = [(feed.symbols, feed.presence.spans(now_ns)) for feed in self._feeds()]

        def work(connection: Connection) -> None:
            for symbols, spans in told:
                cursors.note_spans(connection, symbols, "live", spans)

        await self._queue.transact(work)

    # --- gaps ------------------------------------------------------------------------------------

    async def sweep(self, tier: Tier, symbols: Sequence[str]) -> int:
        """Jobs that were added."""
        if symbols:
            await asyncio.to_thread(self._make_known, symbols)
        added = 0
        for symbol in symbols:
            try:
                added += await self._sweep_symbol(tier, symbol)
            except QueueFullError:
                log.warning("data_jobs_full", tier=tier)
                break
        return added

    async def _sweep_symbol(self, tier: Tier, symbol: str) -> int:
        now_ns = self._wall_ns()
        until_ns = now_ns - SETTLE_NS
        until_ns -= until_ns % MINUTE_NS
        earliest_ns = now_ns - int(self._lookback.total_seconds()) * 1_000_000_000
        from_ns = max(earliest_ns, self._seen_ns.get(symbol, 0))
        if from_ns >= until_ns:
            return 0
        calendar = await asyncio.to_thread(self._calendar_of, symbol)
        there, asked, buried = await self._queue.transact(
            lambda connection: (
                cursors.spans(connection, symbol, "live", from_ns),
                repository.asked(connection, symbol, from_ns),
                repository.buried(connection, symbol, from_ns),
            )
        )
        sound = sound_starts(await self._stored.between(symbol, from_ns, until_ns), there)
        found = gaps(calendar, from_ns, until_ns, sound, [*there, *asked])
        if found:
            GAPS_FOUND.labels(tier).inc(len(found))
        wanted = [gap for gap in found if not _in_vain(gap, buried, moment(now_ns))]
        jobs = [NewJob("backfill", tier, symbol, gap, repository.SWEEPER) for gap in wanted]
        added = await self._queue.add(jobs)
        if wanted == found:
            self._seen_ns[symbol] = max(from_ns, until_ns - _LOOKED_AT_AGAIN_NS)
        return added

    async def fold_again(self) -> None:
        """Healed candles of which a late print has amended a part."""
        for one in self._healed.outdated():
            symbol, from_ns, until_ns = one
            job = NewJob("fold", "T0", symbol, Span(from_ns, until_ns), "late prints")
            # Of one that is being folded right now it isn't known what was read of it.
            if await self._queue.add([job]):
                self._healed.folded([one])

    # --- freshness -------------------------------------------------------------------------------

    async def measure(self, universe: Mapping[Tier, Sequence[str]]) -> None:
        for tier, symbols in universe.items():
            share = await self.stale(tier, symbols)
            STALE_SHARE.labels(tier).set(share)

    async def stale(self, tier: Tier, symbols: Sequence[str]) -> float:
        told = await self._queue.transact(
            lambda connection: cursors.told_until(connection, symbols)
        )
        late_ns = int(2 * self._configuration().cadence_s(tier) * 1e9) + SETTLE_NS
        return await asyncio.to_thread(
            stale_share, symbols, told, self._calendar_of, self._wall_ns(), late_ns
        )


def _in_vain(gap: Span, buried: Sequence[Buried], now: datetime) -> bool:
    """Whether the gap goes on from one that nobody had an answer to a moment ago."""
    return any(
        one.span.from_ns <= gap.until_ns
        and gap.from_ns <= one.span.until_ns
        and now < one.at + min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(20, one.attempts - 1))
        for one in buried
    )
