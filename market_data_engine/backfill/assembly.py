"""Puts the healing of data together from what it needs of the engine."""

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis
from sqlalchemy import Engine

from market_data_engine.backfill.actions import DataJobs
from market_data_engine.backfill.freshness import TARGETS
from market_data_engine.backfill.healing import Healer, StoredMinutes
from market_data_engine.backfill.intake import JobIntake
from market_data_engine.backfill.queue import JobQueue
from market_data_engine.backfill.sweeping import Sweeper
from market_data_engine.backfill.workers import Workers
from market_data_engine.feeds.following import FeedStatus
from market_data_engine.history.corrections import Corrections
from market_data_engine.history.memory import CandleMemory
from market_data_engine.leadership.leadership import Leadership
from market_data_engine.metrics import STALE_TARGET
from market_data_engine.providers.providers import Providers
from market_data_engine.quality.actions import QualityDesk
from market_data_engine.settings import MarketDataSettings
from market_data_engine.store.store import CandleStore
from market_data_engine.store.writer import CandleWriter
from shared.candles.calendar import SessionCalendar
from shared.database import DatabaseThread
from shared.models.identifiers import Symbol


@dataclass(frozen=True)
class Healing:
    """Without any provider jobs are only listed, and nobody looks for gaps."""

    jobs: DataJobs
    quality: QualityDesk
    workers: Workers
    sweeper: Sweeper
    intake: JobIntake
    able: bool

    async def take_over(self) -> None:
        if self.able:
            await self.workers.take_over()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        for tier, target in TARGETS.items():
            STALE_TARGET.labels(tier).set(target)
        async with contextlib.AsyncExitStack() as stack:
            if self.able:
                await stack.enter_async_context(self.workers.running())
                await stack.enter_async_context(self.intake.running())
            await stack.enter_async_context(self.sweeper.running())
            await stack.enter_async_context(self.quality.measured())
            yield


@dataclass(frozen=True)
class Parts:
    """What healing shares with the rest of the engine."""

    engine: Engine
    redis: Redis
    providers: Providers
    store: CandleStore
    writer: CandleWriter
    memory: CandleMemory
    leadership: Leadership
    corrections: Corrections


def assemble(
    settings: MarketDataSettings,
    parts: Parts,
    feeds: Callable[[], Sequence[FeedStatus]],
    calendar_of: Callable[[Symbol], SessionCalendar],
    make_known: Callable[[Sequence[str]], None],
    stack: contextlib.AsyncExitStack,
) -> Healing:
    def calendar_of_text(symbol: str) -> SessionCalendar:
        return calendar_of(Symbol(symbol))

    def leads() -> bool:
        return parts.leadership.held

    thread = DatabaseThread("data-jobs")
    stack.callback(thread.close)
    queue = JobQueue(parts.engine, thread)
    providers, stored = parts.providers, StoredMinutes(parts.store)
    healer = Healer(
        providers,
        stored,
        parts.writer,
        parts.memory,
        queue,
        calendar_of_text,
        parts.corrections.tell,
    )
    live = [symbol for symbols in settings.live_symbols().values() for symbol in symbols]
    able = bool(providers.watched)
    jobs = DataJobs(queue, calendar_of_text, able=able)
    intake = JobIntake(parts.redis, jobs, f"{socket.gethostname()}-{os.getpid()}", leads=leads)
    sweeper = Sweeper(
        queue,
        stored,
        calendar_of_text,
        make_known,
        lambda: providers.configuration,
        feeds,
        live,
        parts.memory.healed,
        able=able,
        fed=intake.fed_within,
        leads=leads,
        lookback=timedelta(hours=settings.gap_lookback_h),
    )
    return Healing(
        jobs=jobs,
        quality=QualityDesk(queue, stored, calendar_of_text, sweeper.universe, leads=leads),
        workers=Workers(queue, healer, leads=leads),
        sweeper=sweeper,
        intake=intake,
        able=able,
    )
