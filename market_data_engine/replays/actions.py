"""Starting, watching and ending runs: one at a time, by the engine that holds the lease."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, TypeVar
from uuid import UUID, uuid4

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from market_data_engine.errors import LeadershipLostError, Refused
from market_data_engine.leadership.leadership import Leadership
from market_data_engine.live.watch import forget_others
from market_data_engine.replays import repository
from market_data_engine.replays.assembly import Assembly
from market_data_engine.replays.preparation import AnyRun, Preparation
from market_data_engine.replays.runner import Carrier
from market_data_engine.replays.schemas import Replay, ReplayList, ReplayRequest
from market_data_engine.replays.transport import Transport
from market_data_engine.store.writer import CandleWriter
from shared.database import DatabaseThread
from shared.redis.tape import RunLostError
from shared.redis.tape_writer import TapeTakenError
from shared.replays.candles import RunCandles

log = structlog.get_logger()

T = TypeVar("T")
End = Literal["finished", "stopped", "failed"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROGRESS_PAUSE_S = 0.5
_RETRY_PAUSE_S = 0.5
_RESTART_PAUSE_S = 1.0
#: A stopped run's last candles get this long to be stored.
_STORE_ON_STOP_S = 10.0

DEAD_ENGINE = "The engine that carried this run died."
LOST = "Another engine took over the market."
ENGINE_STOPPED = "The engine was stopped."
FORGOTTEN = "Redis has lost the run's data."
NOT_LEADING = Refused("standby", "This engine stands by; another one carries the market.")
RUN_IN_PROGRESS = Refused("run_in_progress", "Another run is in progress; stop it first.")
NOT_RUNNING = Refused("replay_not_running", "The replay isn't running any more.")
NO_REPLAY = Refused("not_a_replay", "This market goes with the wall clock; it can only be stopped.")


@dataclass
class _Current:
    """The run that is under way."""

    id: UUID
    carrier: Carrier
    candles: RunCandles
    transport: Transport | None
    task: asyncio.Task[End] | None = None
    #: How the run ends, and why, once somebody has asked to cancel it.
    on_cancel: tuple[End, str | None] | None = None
    #: It comes to its end already: nobody may cancel that.
    ending: bool = False
    #: The tape says that it is over; at most its candles still wait for the store.
    told: bool = False
    reported: repository.Progress | None = None

    def progress(self) -> repository.Progress:
        marks, transport = self.carrier.marks, self.transport
        at_ns = marks.now_ns
        speed = None if transport is None else transport.speed or "max"
        return repository.Progress(
            ticks=marks.ticks,
            skipped_ticks=marks.skipped_ticks,
            candles=self.candles.counts(),
            market_time=None if at_ns is None else _EPOCH + timedelta(microseconds=at_ns // 1000),
            state=None if transport is None else transport.state,
            speed=speed,  # type: ignore[arg-type]
        )


class Replays:
    def __init__(
        self,
        engine: Engine,
        thread: DatabaseThread,
        leadership: Leadership,
        preparation: Preparation,
        assembly: Assembly,
        writer: CandleWriter,
    ) -> None:
        self._engine = engine
        self._thread = thread
        self._leadership = leadership
        self._preparation = preparation
        self._assembly = assembly
        self._writer = writer
        self._starting = asyncio.Lock()
        self._current: _Current | None = None
        self._standing: asyncio.Task[None] | None = None
        #: Tells the tape, when it is back, of the end of a run that it could not be told of.
        self._telling: asyncio.Task[None] | None = None

    # --- what users do ---------------------------------------------------------------------------

    async def start(self, request: ReplayRequest) -> Replay | Refused:
        """The run, which goes on by itself; refused when one is under way."""
        return await self._start(lambda: self._preparation.prepare(request))

    async def stop(self, replay_id: UUID) -> Replay | None:
        """The run as it ended; None when there is no such run. One that has ended stays so."""
        current = self._current
        if current is not None and current.id == replay_id:
            await self._cancel(current, "stopped", None)
        return await self.find(replay_id)

    async def press(
        self, replay_id: UUID, button: Callable[[Transport], Refused | None]
    ) -> Replay | Refused | None:
        """The replay afterwards; None when there is no such run. What was pressed is stored."""
        current = self._current
        if current is None or current.id != replay_id or current.ending or current.told:
            found = await self.find(replay_id)
            return None if found is None else NOT_RUNNING
        if current.transport is None:
            return NO_REPLAY
        refused = button(current.transport)
        if refused is not None:
            return refused
        await self._thread.run(self._in_transaction, self._store_progress(current))
        return await self.find(replay_id)

    async def find(self, replay_id: UUID) -> Replay | None:
        found = await asyncio.to_thread(
            self._in_transaction, lambda connection: repository.find(connection, replay_id)
        )
        return None if found is None else self._fresh(found)

    async def newest(self, cursor: UUID | None, limit: int) -> ReplayList:
        found = await asyncio.to_thread(
            self._in_transaction,
            lambda connection: repository.newest(connection, cursor, limit + 1),
        )
        items = [self._fresh(replay) for replay in found[:limit]]
        more = len(found) > limit
        return ReplayList(items=items, next_cursor=str(items[-1].id) if more else None)

    def _fresh(self, replay: Replay) -> Replay:
        """Rows are behind by up to half a second; what is in memory isn't."""
        current = self._current
        if current is None or current.id != replay.id or replay.status != "running":
            return replay
        return replay.model_copy(update=asdict(current.progress()))

    # --- what becomes of the engine --------------------------------------------------------------

    async def take_over(self) -> None:
        """The lease is ours: what an engine before us left running has failed.

        The tape is told first, so that a crash in between leaves it to the next: market time
        would stand still for the order processors until another run begins.
        """
        running = await self._thread.run(self._in_transaction, repository.running)
        for replay_id in running:
            log.warning("run_of_a_dead_engine", run=str(replay_id))
            await self._assembly.end_run_of_another(str(replay_id))
        if running:
            await self._thread.run(
                self._in_transaction,
                lambda connection: repository.fail_running(connection, DEAD_ENGINE),
            )

    def keep_going(self, prepare: Callable[[], AnyRun | Refused]) -> None:
        """Carry this market whenever none is carried, until a user stops it or the lease is
        lost."""
        self._standing = asyncio.create_task(self._keep_going(prepare), name="standing-run")

    async def yield_to_another(self) -> None:
        """The lease is lost."""
        await self._end_all("failed", LOST)
        self._assembly.forget()

    async def shut_down(self) -> None:
        await self._end_all("stopped", ENGINE_STOPPED)

    async def _end_all(self, how: End, why: str) -> None:
        standing, self._standing = self._standing, None
        if standing is not None:
            standing.cancel()
            await asyncio.wait([standing])
        async with self._starting:
            current = self._current
        if current is not None:
            await self._cancel(current, how, why)
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()
            await asyncio.wait([telling])

    async def _keep_going(self, prepare: Callable[[], AnyRun | Refused]) -> None:
        while True:
            started = await self._try_to_start(prepare)
            current = self._current
            if not isinstance(started, Refused) and current is not None:
                assert current.task is not None
                # When this is cancelled it leaves its run to whoever cancelled it.
                if await asyncio.shield(current.task) == "stopped":
                    return
            await asyncio.sleep(_RESTART_PAUSE_S)

    async def _try_to_start(self, prepare: Callable[[], AnyRun | Refused]) -> Replay | Refused:
        try:
            return await self._start(prepare)
        except Exception as error:
            log.error("market_not_started", exc_info=error)
            return Refused("not_started", str(error))

    # --- one run ---------------------------------------------------------------------------------

    async def _start(self, prepare: Callable[[], AnyRun | Refused]) -> Replay | Refused:
        async with self._starting:
            if not self._leadership.held:
                return NOT_LEADING
            if self._current is not None:
                return RUN_IN_PROGRESS
            prepared = await asyncio.to_thread(prepare)
            if isinstance(prepared, Refused):
                return prepared
            replay_id = uuid4()
            carrier, candles = await self._assembly.build(str(replay_id), prepared)
            current = _Current(replay_id, carrier, candles, prepared.transport)
            replay = await self._thread.run(self._in_transaction, partial(_add, prepared, current))
            current.task = asyncio.create_task(self._carry(current), name=f"run-{replay_id}")
            self._current = current
            log.info("run_started", run=str(replay_id), request=prepared.request)
            return replay

    async def _cancel(self, current: _Current, how: End, why: str | None) -> None:
        assert current.task is not None
        if current.on_cancel is None:
            current.on_cancel = (how, why)
            if not current.ending:
                current.ending = True
                current.task.cancel()
        await asyncio.wait([current.task])

    async def _carry(self, current: _Current) -> End:
        reporter = asyncio.create_task(self._report(current))
        try:
            end, error = await self._carry_to_its_end(current)
            reporter.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reporter
            await self._record(current, end, error)
        finally:
            reporter.cancel()
            self._current = None
        log.info("run_ended", run=str(current.id), status=end, error=error)
        return end

    async def _carry_to_its_end(self, current: _Current) -> tuple[End, str | None]:
        try:
            self._writer.forget_failure()
            await current.carrier.carry()
            current.ending = True
            await current.carrier.marks.end()
            current.told = True
            await self._wait_until_stored(current)
        except asyncio.CancelledError:
            current.ending = True
            await self._leave_in_order(current)
            return current.on_cancel or ("stopped", None)
        except Exception as error:
            current.ending = True
            log.error("run_failed", run=str(current.id), exc_info=error)
            await self._leave_in_order(current)
            return "failed", _sentence(error)
        return "finished", None

    async def _wait_until_stored(self, current: _Current) -> None:
        """May be cancelled: a store that is away mustn't keep the engine from stopping."""
        if current.on_cancel is not None:  # asked for while the end was being told
            raise asyncio.CancelledError
        current.ending = False
        await self._writer.stored()
        current.ending = True

    async def _leave_in_order(self, current: _Current) -> None:
        """As far as that is still possible."""
        try:
            if not current.told:
                await current.carrier.marks.end()
        except (RedisError, OSError) as error:
            log.warning("run_end_not_told", run=str(current.id), error=repr(error))
            if self._telling is not None:
                self._telling.cancel()  # the end of a later run says as much
            self._telling = asyncio.create_task(self._tell_later(current.id), name="run-end")
        except (LeadershipLostError, TapeTakenError) as error:
            log.warning("run_end_not_told", run=str(current.id), error=repr(error))
        try:
            async with asyncio.timeout(_STORE_ON_STOP_S):
                await self._writer.settled()
        except TimeoutError:
            log.warning("candles_still_waiting", run=str(current.id))

    async def _tell_later(self, run_id: UUID) -> None:
        """Market time would stand still for the order processors until another run begins."""
        while True:
            await asyncio.sleep(_RETRY_PAUSE_S)
            async with self._starting:
                if self._current is not None and self._current.id != run_id:
                    return  # its begin has told the same
                if not self._leadership.held:
                    return
                try:
                    await self._assembly.end_run_of_another(str(run_id))
                except (RedisError, OSError):
                    continue
                log.info("run_end_told", run=str(run_id))
                return

    async def _report(self, current: _Current) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_PAUSE_S)
            now = current.progress()
            if now == current.reported:
                continue
            try:
                await self._thread.run(self._in_transaction, self._store_progress(current))
                current.reported = now
            except SQLAlchemyError as error:
                log.warning("progress_not_stored", run=str(current.id), error=repr(error))

    def _store_progress(self, current: _Current) -> Callable[[Connection], None]:
        now = current.progress()
        return lambda connection: repository.progress(connection, current.id, now)

    async def _record(self, current: _Current, end: End, error: str | None) -> None:
        """Tries until the database takes it: a run that is over must not look as if it ran."""
        progress = self._store_progress(current)

        def work(connection: Connection) -> None:
            progress(connection)
            repository.end(connection, current.id, end, error)

        while True:
            try:
                await self._thread.run(self._in_transaction, work)
            except SQLAlchemyError as failure:
                log.warning("run_end_not_stored", run=str(current.id), error=repr(failure))
                await asyncio.sleep(_RETRY_PAUSE_S)
            else:
                return

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)


def _add(prepared: AnyRun, current: _Current, connection: Connection) -> Replay:
    forget_others(connection, prepared.symbols if prepared.source == "live" else [])
    return repository.add(connection, current.id, prepared, current.progress())


def _sentence(error: Exception) -> str:
    if isinstance(error, LeadershipLostError | TapeTakenError):
        return LOST
    if isinstance(error, RunLostError):
        return FORGOTTEN
    if isinstance(error, RedisError):
        return f"Redis failed: {error}."
    if isinstance(error, ValueError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"
