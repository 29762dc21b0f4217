"""Takes jobs by lease and runs each in a process of its own, beside the worker's deployments."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from shared.database.leases import LeaseLostError
from shared.utils.tasks import end_tasks
from strategy_workers.errors import STORE_AWAY, until_done
from strategy_workers.jobs.request import (
    OUTCOME_FILE,
    RESULT_FILE,
    JobDone,
    JobFailure,
    JobOrder,
    JobProgress,
)
from strategy_workers.jobs.store import Claim, JobStore
from strategy_workers.settings import StrategyWorkersSettings

log = structlog.get_logger()

#: How often others' jobs, and those of dead workers, are looked for.
_LOOK_EVERY_S = 2.0


#: What else can become of a process than to end by itself.
Ending = Literal["cancelled", "put back"]


class JobRunner:
    def __init__(self, store: JobStore, settings: StrategyWorkersSettings) -> None:
        self._store = store
        self._settings = settings
        self._beat_s = min(1.0, settings.lease_duration_s / 3)
        self._running: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._draining = asyncio.Event()

    def look_round(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        try:
            while not self._draining.is_set():
                self._news.clear()
                if len(self._running) < self._settings.backtest_processes:
                    claim = await until_done(
                        "backtests", lambda: asyncio.to_thread(self._store.claim)
                    )
                    if claim is not None:
                        task = asyncio.create_task(self._carry_out(claim))
                        self._running.add(task)
                        task.add_done_callback(self._ended)
                        continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _LOOK_EVERY_S)
            await self.drain()
        finally:
            await end_tasks(self._running)

    async def drain(self) -> None:
        """What runs is put back for other workers. Ends `run`, too."""
        self._draining.set()
        self._news.set()
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._news.set()

    async def _carry_out(self, claim: Claim) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
                outcome = await self._in_process(claim, Path(folder))
                keep = self._keeping(claim, outcome, Path(folder))
                await until_done("backtest", lambda: asyncio.to_thread(keep))
        except LeaseLostError:
            log.warning("backtest_lost", backtest_id=str(claim.backtest_id))
        except Exception:
            # A fault of ours: its lease runs out, and it is tried again a few times.
            log.exception("backtest_broken", backtest_id=str(claim.backtest_id))

    def _keeping(
        self, claim: Claim, outcome: JobDone | JobFailure | Ending, folder: Path
    ) -> Callable[[], None]:
        store = self._store
        if outcome == "cancelled":
            return partial(store.cancelled, claim)
        if outcome == "put back":
            return partial(store.put_back, claim)
        if isinstance(outcome, JobFailure):
            return partial(store.fail, claim, outcome)
        return lambda: store.finish(claim, outcome, (folder / RESULT_FILE).read_bytes())

    async def _in_process(self, claim: Claim, folder: Path) -> JobDone | JobFailure | Ending:
        """The process has ended afterwards, in any case."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "strategy_workers.jobs.process",
            cwd=Path(__file__).parents[2],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        answers = _Answers(process)
        draining = asyncio.create_task(self._draining.wait())
        following = asyncio.create_task(answers.follow(self._order(claim, folder)))
        try:
            ending = await self._wait(claim, answers, following, draining)
            if ending is not None:
                return ending
            await process.wait()
            return _outcome(folder, process.returncode)
        finally:
            if process.returncode is None:  # else its number may be somebody else's by now
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await end_tasks([following, draining])
            await process.wait()

    async def _wait(
        self,
        claim: Claim,
        answers: "_Answers",
        following: asyncio.Task[None],
        draining: asyncio.Task[Literal[True]],
    ) -> JobFailure | Ending | None:
        """None when it has ended by itself. Raises LeaseLostError."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._settings.backtest_timeout_s
        while True:
            await asyncio.wait(
                (following, draining),
                timeout=self._beat_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if following.done():
                return None
            if draining.done():
                return "put back"
            if loop.time() >= ends_at:
                limit = f"{self._settings.backtest_timeout_s:g}"
                return JobFailure("timed_out", f"It took longer than {limit} seconds.")
            try:
                if await asyncio.to_thread(self._store.beat, claim, answers.progress):
                    return "cancelled"
            except STORE_AWAY as error:
                # It goes on; should the lease be gone meanwhile, a later beat says so.
                log.warning("store_away", during="backtest", error=repr(error)[:300])

    def _order(self, claim: Claim, folder: Path) -> bytes:
        settings = self._settings
        calendars = settings.calendar_folder
        order = JobOrder(
            request=claim.request,
            folder=str(folder),
            market_data_url=settings.market_data_url,
            internal_token=settings.internal_token.get_secret_value(),
            calendar_folder=None if calendars is None else str(calendars.resolve()),
            max_rows=settings.backtest_max_rows,
            uploaded=claim.uploaded,
            hook_timeout_s=settings.strategy_hook_timeout_s,
            memory_mib=settings.strategy_memory_mib,
        )
        return msgspec.json.encode(order) + b"\n"


class _Answers:
    """What a process says, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.progress = JobProgress(0)

    async def follow(self, order: bytes) -> None:
        """Until the process has nothing more to say."""
        assert self._process.stdin is not None, "it was made with pipes"
        assert self._process.stdout is not None, "it was made with pipes"
        with contextlib.suppress(ConnectionError):  # it has ended already
            self._process.stdin.write(order)
            await self._process.stdin.drain()
        async for line in self._process.stdout:
            self.progress = msgspec.json.decode(line, type=JobProgress)


def _outcome(folder: Path, exit_code: int | None) -> JobDone | JobFailure:
    path = folder / OUTCOME_FILE
    if not path.exists():
        log.error("backtest_process_broken", exit_code=exit_code)
        return JobFailure("internal_error", "Its process ended unexpectedly; this has been logged.")
    return msgspec.json.decode(path.read_bytes(), type=JobDone | JobFailure)
