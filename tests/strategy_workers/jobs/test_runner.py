"""A runner and its real processes, with an engine that never answers: they take their time."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from cli.embedded.servers import free_port
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_jobs
from tests.strategy_workers.doubles import eventually
from tests.strategy_workers.jobs.test_job_store import ask, row_of


@pytest.fixture
async def silent(
    worker_settings: StrategyWorkersSettings,
) -> AsyncIterator[StrategyWorkersSettings]:
    port = free_port()
    connections = []

    def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", port)
    yield worker_settings.model_copy(
        update={"market_data_url": f"http://127.0.0.1:{port}", "backtest_processes": 3}
    )
    for writer in connections:
        writer.close()
    server.close()


def processes() -> set[int]:
    """Of backtests, started by this process."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"strategy_workers.jobs" in (
                folder / "cmdline"
            ).read_bytes().replace(b"\0", b" "):
                found.add(int(folder.name))
    return found


async def test_backtests_are_cancelled_crash_and_go_back_each_by_itself(
    silent: StrategyWorkersSettings, engine: Engine, owner: UUID
) -> None:
    async def ends(backtest_id: UUID, status: str) -> None:
        async def ended() -> bool:
            return row_of(engine, backtest_id).status == status

        await eventually(ended, status, timeout_s=60)

    async def running(count: int) -> set[int]:
        async def enough() -> bool:
            return len(processes()) == count

        await eventually(enough, f"{count} processes", timeout_s=60)
        return processes()

    cancelled = ask(engine, owner)
    async with running_jobs(silent, engine) as runner:
        await running(1)
        crashed = ask(engine, owner)
        runner.look_round()
        second = (await running(2)).copy()
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE backtests SET cancel_wanted = true WHERE id = :id"), {"id": cancelled}
            )
        await ends(cancelled, "cancelled")
        (left,) = await running(1)
        assert left in second
        os.kill(left, signal.SIGKILL)
        await ends(crashed, "failed")
        row = row_of(engine, crashed)
        assert (row.error_code, row.result) == ("internal_error", None)
        unfinished = ask(engine, owner)
        runner.look_round()
        await running(1)
    row = row_of(engine, unfinished)
    assert (row.status, row.attempts) == ("waiting", 0)
    assert processes() == set()


async def test_a_backtest_that_takes_too_long_is_ended(
    silent: StrategyWorkersSettings, engine: Engine, owner: UUID
) -> None:
    backtest_id = ask(engine, owner)
    async with running_jobs(silent.model_copy(update={"backtest_timeout_s": 0.1}), engine):

        async def failed() -> bool:
            return row_of(engine, backtest_id).status == "failed"

        await eventually(failed, "an end", timeout_s=60)
    assert row_of(engine, backtest_id).error_code == "timed_out"
    assert processes() == set()
