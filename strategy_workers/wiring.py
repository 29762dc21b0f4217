"""Builds and closes every client; the one file that knows the concrete ones."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from functools import partial
from typing import NoReturn
from uuid import UUID, uuid4

import structlog
from fastapi import FastAPI
from redis.exceptions import RedisError
from sqlalchemy import Engine

from shared.database import DatabaseThread, make_engine
from shared.redis import make_redis
from shared.redis.requests import OrderRequests
from shared.service.health import postgres_check, redis_check
from shared.service.internal_client import internal_client
from shared.utils.tasks import end_tasks
from strategy_workers.deployments.actions import Deployments
from strategy_workers.jobs.actions import Backtests, JobLimits
from strategy_workers.jobs.runner import JobRunner
from strategy_workers.jobs.store import JobStore
from strategy_workers.library import LIBRARY, Catalogue
from strategy_workers.library.installed import with_installed
from strategy_workers.parity.actions import ParityReports
from strategy_workers.runtime.account_events import AccountEvents
from strategy_workers.runtime.dispatch import Dispatch
from strategy_workers.runtime.history import History
from strategy_workers.runtime.lines import storable
from strategy_workers.runtime.ownership import Ownership
from strategy_workers.runtime.repository import give_up
from strategy_workers.runtime.roster import Roster
from strategy_workers.runtime.store import Store
from strategy_workers.runtime.watchdog import Watchdog
from strategy_workers.runtime.worker import Worker
from strategy_workers.sandbox.process import Limits
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.uploads.actions import Uploads
from strategy_workers.uploads.catalogue import AllStrategies

log = structlog.get_logger()

_START_AGAIN_S = 0.5
#: What an upload may take in all, to be imported and run over made-up candles; each of three times.
_TRIAL_S = 10.0
#: Exit code of a process whose strategy can't be stopped: a fault of software.
_HOOK_NEVER_RETURNED = 70


@contextlib.asynccontextmanager
async def running_worker(
    settings: StrategyWorkersSettings, catalogue: Catalogue
) -> AsyncIterator[Worker]:
    """A worker that holds deployments while the block runs, and drains when it ends."""
    async with contextlib.AsyncExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        thread = DatabaseThread("runtime")
        stack.callback(thread.close)
        redis = make_redis(settings)
        stack.push_async_callback(redis.aclose)
        client = await stack.enter_async_context(
            internal_client(settings, settings.market_data_url, settings.strategy_history_timeout_s)
        )
        requests = OrderRequests(redis, settings.order_shards)
        store = Store(engine, thread, _owner(), settings.lease_duration_s)
        ownership = Ownership(store, settings.lease_duration_s)
        watchdog = stack.enter_context(
            Watchdog(settings.strategy_hook_timeout_s, partial(_end_process, engine))
        )
        dispatch = Dispatch(requests, settings.strategy_answer_timeout_s)
        worker = Worker(
            redis,
            store,
            ownership,
            Roster(redis, store, ownership, dispatch, catalogue, watchdog),
            AccountEvents(redis, store),
            dispatch,
            History(client),
            watchdog,
            lease_duration_s=settings.lease_duration_s,
            snapshot_marks=settings.strategy_snapshot_marks,
            max_deployments=settings.strategy_max_deployments,
        )
        task = asyncio.create_task(_run(worker, requests), name="worker")
        try:
            yield worker
        finally:
            # What was decided is stored: whoever takes over sends it.
            await _drained(worker.drain(), settings, "worker")
            await end_tasks([task])


@contextlib.asynccontextmanager
async def running_jobs(
    settings: StrategyWorkersSettings, engine: Engine
) -> AsyncIterator[JobRunner]:
    """Backtests that users ask for are run while the block is, beside its deployments."""
    runner = JobRunner(JobStore(engine, _owner(), settings.lease_duration_s), settings)
    task = asyncio.create_task(runner.run(), name="backtests")
    try:
        yield runner
    finally:
        await _drained(runner.drain(), settings, "backtests")
        await end_tasks([task])


async def _drained(
    draining: Coroutine[None, None, None], settings: StrategyWorkersSettings, of: str
) -> None:
    try:
        await asyncio.wait_for(draining, settings.drain_timeout_s)
    except TimeoutError:
        log.warning("drain_cut_short", of=of, after_s=settings.drain_timeout_s)


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def _end_process(engine: Engine, deployment_id: UUID | None, why: str) -> NoReturn:
    """The others' deployments are taken over, from their snapshots, by whoever is next."""
    log.critical("hook_never_returned", deployment=str(deployment_id), error=why)
    try:
        if deployment_id is not None:
            with engine.begin() as connection:
                give_up(connection, deployment_id, storable(why))
    except Exception:
        log.exception("deployment_not_paused", deployment=str(deployment_id))
    finally:
        os._exit(_HOOK_NEVER_RETURNED)


async def _run(worker: Worker, requests: OrderRequests) -> None:
    while True:
        try:
            async with requests.listening():
                await worker.run()
        except RedisError as error:  # it wasn't there to begin with
            log.warning("store_away", during="start", error=repr(error))
            await asyncio.sleep(_START_AGAIN_S)


@contextlib.asynccontextmanager
async def wire(app: FastAPI, settings: StrategyWorkersSettings) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        engine = make_engine(settings)
        stack.callback(engine.dispose)
        redis = make_redis(settings)
        stack.push_async_callback(redis.aclose)
        limits = Limits(settings.strategy_hook_timeout_s, settings.strategy_memory_mib)
        library = with_installed(LIBRARY)
        for broken in library.broken:
            log.error("strategy_broken", **vars(broken))
        strategies = AllStrategies(engine, library, limits)
        worker = await stack.enter_async_context(running_worker(settings, strategies))
        loop = asyncio.get_running_loop()
        app.state.catalogue = strategies
        app.state.uploads = Uploads(engine, library, replace(limits, total_s=_TRIAL_S))
        tell_worker = partial(loop.call_soon_threadsafe, worker.look_round)
        deployments = Deployments(engine, strategies, worker.watchdog, tell_worker)
        jobs = await stack.enter_async_context(running_jobs(settings, engine))
        market_data = await stack.enter_async_context(
            internal_client(settings, settings.market_data_url)
        )
        app.state.deployments = deployments
        backtests = app.state.backtests = Backtests(
            engine,
            strategies,
            market_data,
            deployments,
            JobLimits(
                settings.backtests_unfinished_per_user,
                settings.backtests_kept_per_user,
                settings.backtest_max_rows,
            ),
            lambda: loop.call_soon_threadsafe(jobs.look_round),
        )
        app.state.parity_reports = ParityReports(
            engine, strategies, backtests, settings.backtest_max_rows
        )
        app.state.readiness = {"postgres": postgres_check(engine), "redis": redis_check(redis)}
        yield
