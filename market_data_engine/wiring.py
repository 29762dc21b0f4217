"""Builds and closes every client; the only place that knows concrete ones."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import structlog
from fastapi import APIRouter
from redis.asyncio import Redis
from sqlalchemy import Engine

from market_data_engine.backfill.assembly import Parts, assemble
from market_data_engine.backfill.routes import job_routes
from market_data_engine.candle_files.actions import CandleFiles
from market_data_engine.candle_files.routes import candle_file_routes
from market_data_engine.history.actions import History
from market_data_engine.history.corrections import Corrections
from market_data_engine.history.memory import CandleMemory
from market_data_engine.history.routes import history_routes
from market_data_engine.indicators.routes import indicator_routes
from market_data_engine.instruments.actions import DEFAULT_EXCHANGE, Instruments
from market_data_engine.instruments.routes import instrument_routes
from market_data_engine.leadership.leadership import Leadership
from market_data_engine.live.board import FeedBoard
from market_data_engine.live.resumption import Resumption
from market_data_engine.live.routes import feed_routes
from market_data_engine.live.sources import Sources, live_sources
from market_data_engine.live.watch import SilenceWatch
from market_data_engine.mappings.actions import Mappings
from market_data_engine.mappings.routes import mapping_routes
from market_data_engine.market_files.actions import MarketFiles
from market_data_engine.market_files.routes import market_file_routes
from market_data_engine.providers.actions import ProviderDesk
from market_data_engine.providers.configuration import Configuration
from market_data_engine.providers.limits import RateLimits
from market_data_engine.providers.providers import Providers
from market_data_engine.providers.routes import provider_routes
from market_data_engine.providers.sources import KNOWN, add_providers
from market_data_engine.quality.routes import quality_routes
from market_data_engine.replays.actions import Replays
from market_data_engine.replays.assembly import Assembly
from market_data_engine.replays.frames import FrameNumbers
from market_data_engine.replays.preparation import Preparation
from market_data_engine.replays.routes import replay_routes
from market_data_engine.settings import MarketDataSettings
from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.store import CandleStore
from market_data_engine.store.writer import CandleWriter
from market_data_engine.universe.routes import universe_routes
from shared.calendars import Calendars
from shared.candles.calendar import SessionCalendar
from shared.database import DatabaseThread, make_engine
from shared.mappings import name_at
from shared.models.identifiers import Symbol
from shared.redis import make_redis
from shared.service.health import Check, postgres_check, redis_check

log = structlog.get_logger()

#: Brokers and providers that symbols can be mapped for. Live feeds take our names.
PARTIES = frozenset({"alpaca", *KNOWN})


@dataclass(frozen=True)
class MarketData:
    """The running engine, as its edge and its tests see it."""

    routers: list[APIRouter]
    readiness: dict[str, Check]
    replays: Replays
    leadership: Leadership
    redis: Redis


@contextlib.asynccontextmanager
async def wire(settings: MarketDataSettings) -> AsyncIterator[MarketData]:
    async with contextlib.AsyncExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        redis = make_redis(settings)
        stack.push_async_callback(redis.aclose)
        rows = DatabaseThread("market-data")
        stack.callback(rows.close)
        lease = DatabaseThread("market-data-lease")
        stack.callback(lease.close)

        calendars = Calendars(settings.calendar_folder)
        instruments = Instruments(engine)
        files = _market_files(settings, engine, calendars)
        await asyncio.to_thread(files.prepare)
        await rows.run(instruments.seed)

        store, store_check = _candle_store(settings, engine, stack)
        writer = _candle_writer(settings, store, stack)
        memory = CandleMemory()
        numbers = FrameNumbers(redis)
        leadership = Leadership(engine, lease, settings.lease_duration_s)
        corrections = Corrections(redis, numbers, memory, leadership.require)
        sources = live_sources(settings)
        board = FeedBoard(sources)
        providers, desk = _providers(settings, engine, rows, redis, leadership, stack)
        preparation = Preparation(engine, calendars, files, settings)
        replays = Replays(
            engine,
            rows,
            leadership,
            preparation,
            Assembly(
                redis,
                leadership,
                numbers,
                memory,
                writer,
                board,
                SilenceWatch(engine, rows, settings.feed_stale_s),
                Resumption(redis, store, writer, memory),
                corrections.take,
                settings,
            ),
            writer,
        )
        history = History(memory, store, writer, instruments, numbers, redis)

        calendar_of = partial(_calendar_of, calendars, instruments)
        healing = assemble(
            settings,
            Parts(engine, redis, providers, store, writer, memory, leadership, corrections),
            board.statuses,
            calendar_of,
            instruments.make_known,
            stack,
        )

        async def on_gain() -> None:
            await writer.take_over()
            await healing.take_over()
            await replays.take_over()
            _keep_going(settings, replays, preparation, sources)

        await stack.enter_async_context(leadership.kept(on_gain, replays.yield_to_another))
        # Left before the lease is: what still waits on disk is then the next engine's to store.
        await stack.enter_async_context(writer.running())
        stack.push_async_callback(replays.shut_down)
        await stack.enter_async_context(healing.running())
        await stack.enter_async_context(desk.kept())
        warm_up = asyncio.create_task(_warm_up(calendars))
        stack.push_async_callback(asyncio.wait, [warm_up])
        yield MarketData(
            routers=[
                instrument_routes(instruments),
                mapping_routes(Mappings(engine, PARTIES)),
                market_file_routes(files),
                candle_file_routes(
                    CandleFiles(
                        engine,
                        calendars,
                        store,
                        memory,
                        settings.market_data_folder,
                        settings.market_file_max_bytes,
                    )
                ),
                replay_routes(replays),
                feed_routes(board),
                provider_routes(desk),
                universe_routes(desk, healing.sweeper.universe),
                job_routes(healing.jobs, redis),
                quality_routes(healing.quality),
                history_routes(history, redis),
                indicator_routes(history, calendar_of),
            ],
            readiness={"postgres": postgres_check(engine), "redis": redis_check(redis)}
            | store_check,
            replays=replays,
            leadership=leadership,
            redis=redis,
        )


def _calendar_of(calendars: Calendars, instruments: Instruments, symbol: Symbol) -> SessionCalendar:
    return calendars.of(instruments.exchanges([symbol])[symbol])


def _market_files(
    settings: MarketDataSettings, engine: Engine, calendars: Calendars
) -> MarketFiles:
    return MarketFiles(
        engine,
        calendars,
        settings.market_data_folder,
        settings.market_file_max_bytes,
        settings.market_file_max_rows,
    )


def _keep_going(
    settings: MarketDataSettings, replays: Replays, preparation: Preparation, sources: Sources
) -> None:
    """The run that an engine without replays is to have."""
    if settings.market_data_mode == "simulated":
        replays.keep_going(preparation.simulated)
    elif settings.market_data_mode == "live" and sources.followed:
        replays.keep_going(lambda: preparation.live(sources.followed))


def _providers(
    settings: MarketDataSettings,
    engine: Engine,
    rows: DatabaseThread,
    redis: Redis,
    leadership: Leadership,
    stack: contextlib.AsyncExitStack,
) -> tuple[Providers, ProviderDesk]:
    providers = Providers(Configuration(), RateLimits(redis), name_of=partial(name_at, engine))
    stack.push_async_callback(providers.close)
    unavailable = add_providers(settings, providers)
    desk = ProviderDesk(
        engine, rows, redis, providers, KNOWN, unavailable, leads=lambda: leadership.held
    )
    return providers, desk


def _candle_store(
    settings: MarketDataSettings, engine: Engine, stack: contextlib.AsyncExitStack
) -> tuple[CandleStore, dict[str, Check]]:
    """The store, and how it is seen to be ready unless another check shows that."""
    if settings.candle_store == "postgres":
        return PostgresCandleStore(engine), {}
    # Imported only where it is used: the client takes 30 MB.
    from market_data_engine.store.influxdb import InfluxCandleStore

    token = settings.influxdb_token
    store = InfluxCandleStore(
        settings.influxdb_url,
        token.get_secret_value() if token is not None else None,
        settings.influxdb_org,
        settings.influxdb_bucket,
        settings.influxdb_timeout_s,
    )
    stack.callback(store.close)
    return store, {"influxdb": lambda: asyncio.to_thread(store.check)}


def _candle_writer(
    settings: MarketDataSettings, store: CandleStore, stack: contextlib.AsyncExitStack
) -> CandleWriter:
    # Of its own: a store that is away mustn't keep the rows of runs waiting.
    storing = DatabaseThread("candle-store")
    stack.callback(storing.close)
    waiting = settings.market_data_folder / "candles"
    return CandleWriter(store, storing, waiting, settings.candle_queue_size)


async def _warm_up(calendars: Calendars) -> None:
    """So that the first upload or run needn't wait; without it, that one tells what is wrong."""
    try:
        await asyncio.to_thread(calendars.of, DEFAULT_EXCHANGE)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        log.warning("calendar_not_ready", exchange=DEFAULT_EXCHANGE, error=repr(error))
