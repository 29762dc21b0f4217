"""A hook that doesn't return ends its own deployment, and nobody else's."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from strategy_workers.runtime.deployment import HookError
from strategy_workers.runtime.watchdog import HookOverdueError, Watchdog
from strategy_workers.sdk import Strategy
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.doubles import OrderDesk, TapeEngine
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.sample_strategies import SAMPLES
from tests.strategy_workers.test_strategy_takeover import Workers, workers

__all__ = ["workers"]


@pytest.fixture
def hasty(worker_settings: StrategyWorkersSettings) -> StrategyWorkersSettings:
    return worker_settings.model_copy(update={"strategy_hook_timeout_s": 0.3})


@pytest.fixture
def given_up() -> list[tuple[UUID | None, str]]:
    return []


@pytest.fixture
def watchdog(given_up: list[tuple[UUID | None, str]]) -> Iterator[Watchdog]:
    with Watchdog(0.1, lambda one, why: given_up.append((one, why))) as watchdog:
        yield watchdog


def _loop(until: threading.Event) -> None:
    while not until.is_set():
        pass


def test_an_endless_loop_is_broken_into_and_its_place_is_told(watchdog: Watchdog) -> None:
    with (
        pytest.raises(HookError, match=r"didn't return within 0\.1 s(.|\n)*in _loop"),
        watchdog.over(uuid4(), Strategy),
    ):
        _loop(threading.Event())


def test_what_comes_back_in_time_is_left_alone_however_often(watchdog: Watchdog) -> None:
    ended_at = time.monotonic() + 0.3
    calls = 0
    while time.monotonic() < ended_at:
        with watchdog.over(uuid4(), Strategy):
            calls += 1
    assert calls > 100


def test_a_hook_that_returns_just_when_it_is_broken_into_disturbs_nothing_after_it(
    watchdog: Watchdog,
) -> None:
    for _ in range(3):
        # It returns all the same, by catching what breaks into it.
        with watchdog.over(uuid4(), Strategy), contextlib.suppress(HookOverdueError):
            _loop(threading.Event())
        sum(range(100_000))  # an exception that is still on its way would come here


def test_a_hook_that_catches_everything_is_given_up_with_its_place(
    watchdog: Watchdog, given_up: list[tuple[UUID | None, str]]
) -> None:
    deployment = uuid4()

    def stubborn() -> None:
        while not given_up:
            try:
                time.sleep(0.01)
            except HookOverdueError:
                continue

    with watchdog.over(deployment, Strategy):
        stubborn()
    [(one, why)] = given_up
    assert one == deployment
    assert "in stubborn" in why


async def test_a_strategy_that_hangs_is_paused_and_the_others_of_its_worker_go_on(
    platform: Platform, hasty: StrategyWorkersSettings, desk: OrderDesk, market: TapeEngine
) -> None:
    hanging = platform.deploy("hanging")
    scripted = platform.deploy("scripted", at=3)
    async with running_worker(hasty, SAMPLES):
        await platform.reaches(hanging, "running")
        await platform.reaches(scripted, "running")
        await market.play("SPY", [100, 101, 102, 103])
        row = await platform.reaches(hanging, "paused")
    assert "didn't return within 0.3 s" in str(row.last_error)
    assert "in on_candle" in str(row.last_error)
    assert [command.deployment_id for command in desk.commands] == [scripted]
    assert b'"candles":1' in bytes(row.snapshot or b"")


async def test_a_worker_that_a_strategy_holds_for_good_ends_and_the_next_one_pauses_it(
    platform: Platform,
    hasty: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("STRATEGY_HOOK_TIMEOUT_S", "0.2")
    held: Workers = request.getfixturevalue("workers")
    hanging = platform.deploy("hanging", stubborn=True)
    scripted = platform.deploy("scripted", at=3)
    await platform.reaches(hanging, "running")
    await platform.reaches(scripted, "running")
    await market.start()
    for price in (100.0, 101.0):
        await market.slice({"SPY": price})
    assert await asyncio.to_thread(held.processes[-1].wait, 60) == 70
    async with running_worker(hasty, SAMPLES):
        row = await platform.reaches(hanging, "paused")
        await market.wait()
        await market.slice({"SPY": 102.0})
        await market.wait()
    assert "couldn't be broken into" in str(row.last_error)
    assert [command.deployment_id for command in desk.commands] == [scripted]
