"""Workers die, and nobody can tell from the orders."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from cli.embedded.processes import start_child, stop_child
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.conftest import open_account
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform, shape
from tests.strategy_workers.sample_strategies import SAMPLES

_PRICES = [100 + (7 * n) % 11 for n in range(40)]


class Workers:
    """Worker processes on the test's stores."""

    def __init__(self, settings: StrategyWorkersSettings, log: Path) -> None:
        self._log = log
        self._environment = {
            **os.environ,
            "ENVIRONMENT": "test",
            "DB_PORT": str(settings.db_port),
            "DB_NAME": settings.db_name,
            "DB_PASSWORD": settings.db_password.get_secret_value(),
            "REDIS_PORT": str(settings.redis_port),
            "REDIS_PASSWORD": str(
                settings.redis_password and settings.redis_password.get_secret_value()
            ),
            "ORDER_SHARDS": "1",
            "LEASE_DURATION_S": "1",
            "STRATEGY_SNAPSHOT_MARKS": "8",
            "STRATEGY_ANSWER_TIMEOUT_S": "0.5",
        }
        self.processes = []
        self.start()

    def start(self) -> None:
        self.processes.append(
            start_child(
                [sys.executable, "-m", "tests.strategy_workers.worker_process"],
                log=self._log,
                on_parent_death=signal.SIGKILL,
                environment=self._environment,
            )
        )

    def kill(self) -> None:
        """Like a power cut; the next one starts at once."""
        self.processes[-1].kill()
        self.processes[-1].wait()
        self.start()

    def stop(self) -> None:
        stop_child(self.processes[-1], signal.SIGTERM, 15)


@pytest.fixture
def workers(worker_settings: StrategyWorkersSettings, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(worker_settings, tmp_path / "worker.log")
    yield workers
    workers.stop()
    print((tmp_path / "worker.log").read_text())


async def _reference(
    platform: Platform,
    settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    account: UUID,
) -> tuple[list[object], list[str]]:
    """Commands and signals of a run that nothing disturbs."""
    began = len(desk.commands)
    async with running_worker(settings, SAMPLES):
        deployment = platform.deploy("flipping", account=account)
        await platform.reaches(deployment, "running")
        await market.play("SPY", _PRICES)
        commands: list[object] = [shape(command) for command in desk.commands[began:]]
        platform.stop(deployment)
        await platform.reaches(deployment, "stopped")
    return commands, [signal.reason for signal in platform.signals(deployment)]


async def test_killed_workers_neither_lose_nor_repeat_an_order_or_a_signal(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    engine: Engine,
    request: pytest.FixtureRequest,
) -> None:
    expected, reasons = await _reference(
        platform, worker_settings, desk, market, open_account(engine, "undisturbed")
    )
    assert len(expected) > 10
    workers: Workers = request.getfixturevalue("workers")
    seed = random.randrange(1_000_000)
    print("seed", seed)  # shown when the test fails
    chance = random.Random(seed)
    moments = {chance.randrange(1, 39): chance.uniform(0, 0.03) for _ in range(2)}
    known = set(desk.orders)
    deployment = platform.deploy("flipping")
    await platform.reaches(deployment, "running")
    await market.start()
    for number, price in enumerate(_PRICES):
        await market.slice({"SPY": price})
        if number in moments:
            # Somewhere between reading the mark and having acknowledged it.
            await asyncio.sleep(moments[number])
            workers.kill()
        elif number == 20:
            await market.wait()
            workers.kill()  # with marks acknowledged that no snapshot holds yet
        await market.wait()
    orders = [
        (order.side, order.type, order.qty, order.limit_price, order.symbol)
        for name, order in desk.orders.items()
        if name not in known
    ]
    assert orders == [one for one in expected if one != ("cancel",)]
    signals = platform.signals(deployment)
    assert [signal.seq for signal in signals] == list(range(1, len(signals) + 1))
    assert [signal.reason for signal in signals] == reasons


async def test_a_worker_that_dies_between_its_commit_and_its_orders_has_them_sent_by_the_next(
    platform: Platform,
    desk: OrderDesk,
    market: TapeEngine,
    workers: Workers,
) -> None:
    deployment = platform.deploy("scripted", at=1)
    await platform.reaches(deployment, "running")
    desk.lose_answers = 1_000_000  # the worker hangs there, with its decision stored
    await market.start()
    await market.slice({"SPY": 100.0})

    async def stored() -> bool:
        return platform.row(deployment).signals == 1

    await eventually(stored, "decision stored")
    os.kill(workers.processes[-1].pid, signal.SIGSTOP)
    desk.orders.clear()  # as if the command had never arrived
    desk.lose_answers = 0
    workers.kill()
    await market.wait()
    assert [order.qty for order in desk.orders.values()] == [1]
    assert len(platform.signals(deployment)) == 1


async def test_a_worker_that_slept_through_its_lease_says_nothing_any_more(
    platform: Platform,
    desk: OrderDesk,
    market: TapeEngine,
    workers: Workers,
    worker_settings: StrategyWorkersSettings,
) -> None:
    deployment = platform.deploy("scripted", at=2)
    await platform.reaches(deployment, "running")
    await market.start()
    await market.slice({"SPY": 100.0})
    await market.wait()
    sleeper = workers.processes[-1].pid
    os.kill(sleeper, signal.SIGSTOP)
    async with running_worker(worker_settings, SAMPLES) as successor:

        async def taken() -> bool:
            successor.look_round()
            return len(successor.held) == 1

        await eventually(taken, "take-over")
        os.kill(sleeper, signal.SIGCONT)
        for price in (101.0, 102.0):
            await market.slice({"SPY": price})
            await market.wait()
        assert successor.held == {deployment}
    assert len(desk.orders) == 1
    assert len(platform.signals(deployment)) == 1


async def test_a_worker_that_is_told_to_end_hands_over_at_once(
    platform: Platform,
    desk: OrderDesk,
    market: TapeEngine,
    workers: Workers,
    engine: Engine,
) -> None:
    deployment = platform.deploy("scripted", at=50)
    await platform.reaches(deployment, "running")
    await market.start()
    for price in (100.0, 101.0, 102.0):
        await market.slice({"SPY": price})
        await market.wait()
    began = time.monotonic()
    workers.stop()
    assert time.monotonic() - began < 5
    with engine.connect() as connection:
        free = connection.execute(text("SELECT expires_at < now() FROM leases")).scalar_one()
        assert free
    # The snapshot is as new as the last mark: nothing is worked through again.
    cursor = platform.row(deployment).tape_cursor
    newest = await market.newest_mark_id()
    assert cursor == newest
    workers.start()
    await market.slice({"SPY": 103.0})
    await asyncio.wait_for(market.wait(), 15)
