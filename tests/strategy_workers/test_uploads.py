"""Users' own strategies: uploaded, approved, run, replaced while they run, and taken back."""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.database.tables import AccountRow, StrategyVersionRow
from shared.service.problems import Problem
from strategy_workers.deployments.actions import Deployments
from strategy_workers.library import LIBRARY
from strategy_workers.runtime.watchdog import Watchdog
from strategy_workers.sandbox.process import Limits
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.uploads.actions import Uploads
from strategy_workers.uploads.catalogue import AllStrategies
from strategy_workers.wiring import running_worker
from tests.strategy_workers.conftest import open_account
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.sandbox.conftest import _confinable

__all__ = ["_confinable"]

_LIMITS = Limits(hook_timeout_s=20)
_SOURCE = """
from strategy_workers.sdk import *

class Counting(Strategy):
    name = "{name}"
    lots = IntParameter(default=1, low=1, high=9)
    {more}

    def on_candle(self, candle):
        count = self.state["candles"] = self.state.get("candles", 0) + 1
        if count % 3 == 0:
            self.buy(candle.symbol, self.lots, reason="{reason} %d" % count)
"""


def source(name: str = "counting", reason: str = "first", more: str = "") -> bytes:
    return _SOURCE.format(name=name, reason=reason, more=more).encode()


@pytest.fixture
def author(engine: Engine, account: UUID) -> UUID:
    with Session(engine) as session:
        return session.get_one(AccountRow, account).owner_id


@pytest.fixture
def uploads(engine: Engine, _confinable: None) -> Uploads:
    return Uploads(engine, LIBRARY, _LIMITS, candles=10)


@pytest.fixture
def approved(uploads: Uploads, author: UUID) -> Callable[..., int]:
    def upload(**what: str) -> int:
        row, _ = uploads.upload(author, "counting.py", source(**what))
        return uploads.decide(row.strategy, row.version, "approved", author, None).version

    return upload


def told(problem: pytest.ExceptionInfo[Problem]) -> tuple[int, str]:
    return problem.value.status, problem.value.code


def test_an_upload_waits_for_an_admin_and_is_then_offered(
    engine: Engine, uploads: Uploads, author: UUID
) -> None:
    strategies = AllStrategies(engine, LIBRARY, _LIMITS)
    row, is_new = uploads.upload(author, "any.py", source())
    assert (row.strategy, row.version, row.status, is_new) == ("counting", 1, "pending", True)
    assert [one["check"] for one in row.findings] == [
        "import",
        "parameters",
        "dry run",
        "repeatable",
    ]
    again, is_new = uploads.upload(author, "other.py", source())
    assert (again.version, is_new) == (1, False)
    assert strategies.choose("counting") is None
    for _ in range(2):  # asking twice changes nothing
        assert uploads.decide("counting", 1, "approved", author, "reads well").status == "approved"
    chosen = strategies.choose("counting")
    assert chosen is not None
    assert chosen.version == 1
    assert "lots" in chosen.strategy.declared_parameters()
    assert [one.version for one in strategies.offered() if one.strategy.name == "counting"] == [1]
    _is_not_there_for_others(engine, uploads, author)
    assert uploads.remove("counting", 1, author, author).status == "removed"
    assert strategies.choose("counting") is None
    with pytest.raises(Problem) as problem:
        uploads.decide("counting", 1, "approved", author, None)
    assert told(problem) == (409, "strategy_version_decided")


def _is_not_there_for_others(engine: Engine, uploads: Uploads, author: UUID) -> None:
    with Session(engine) as session:
        other = session.get_one(AccountRow, open_account(engine, "other")).owner_id
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: uploads.upload(other, "mine.py", source(reason="mine")), "strategy_name_taken"),
        (lambda: uploads.versions("counting", other), "unknown_strategy"),
        (lambda: uploads.versions("nothing", None), "unknown_strategy"),
        (lambda: uploads.remove("counting", 1, other, other), "unknown_strategy"),
        (lambda: uploads.decide("counting", 2, "approved", author, None), "unknown_strategy"),
    ]
    for attempt, code in attempts:
        with pytest.raises(Problem) as problem:
            attempt()
        assert problem.value.code == code
    assert [row.version for row in uploads.versions("counting", None)] == [1]


def test_what_fails_its_trial_is_told_and_nothing_is_stored(
    engine: Engine, uploads: Uploads, author: UUID
) -> None:
    for body, status, code in (
        (source(name="sma_crossover"), 409, "strategy_name_taken"),
        (b"import os; os.fork()", 422, "invalid_strategy"),
        (source(more="candles = IntParameter(default=1, low=1, high=9)"), 422, "invalid_strategy"),
        (b"", 422, "invalid_strategy_file"),
    ):
        with pytest.raises(Problem) as problem:
            uploads.upload(author, "counting.py", body)
        assert told(problem) == (status, code)
    with Session(engine) as session:
        assert session.scalars(select(StrategyVersionRow)).all() == []


async def test_a_new_version_goes_on_where_the_old_one_was_and_can_be_rolled_back(
    platform: Platform,
    engine: Engine,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    uploads: Uploads,
    author: UUID,
    approved: Callable[..., int],
) -> None:
    strategies = AllStrategies(engine, LIBRARY, _LIMITS)
    hand = platform.deployments = Deployments(
        engine, strategies, Watchdog(60, lambda *_: None), lambda: None
    )
    approved()
    deployment = platform.deploy("counting", lots=2)
    account = platform.account
    second = approved(reason="second", more="extra = BooleanParameter(default=True)")
    assert second == 2
    uploads.upload(author, "counting.py", source(reason="pending"))

    async with running_worker(worker_settings, strategies) as worker:

        async def applied(version: int) -> None:
            async def look() -> bool:
                worker.look_round()
                return platform.row(deployment).applied_version == version

            await eventually(look, f"version {version} decides")

        await platform.reaches(deployment, "running")
        assert platform.row(deployment).strategy_version == 1
        await market.play("SPY", [100, 101, 102, 103])
        hand.change_parameters(account, deployment, {}, None, 2)
        await applied(2)
        await market.play("SPY", [104, 105])
        hand.roll_back(account, deployment)
        await applied(3)
        await market.play("SPY", [106, 107, 108])
        change = partial(hand.change_parameters, account, deployment)
        refusals: list[tuple[Callable[[], object], str]] = [
            (lambda: change({}, None, 3), "strategy_not_approved"),
            (lambda: change({"extra": True}, None, 1), "invalid_parameters"),
            (lambda: uploads.remove("counting", 1, author, author), "strategy_in_use"),
            (lambda: hand.roll_back(account, uuid4()), "not_found"),
        ]
        for attempt, code in refusals:
            with pytest.raises(Problem) as problem:
                attempt()
            assert problem.value.code == code
        platform.stop(deployment)
        worker.look_round()
        await platform.reaches(deployment, "stopped")
    assert [one.reason for one in platform.signals(deployment)] == [
        "first 3",
        "second 6",
        "first 9",
    ]
    assert [order.qty for order in desk.orders.values()] == [2, 2, 2]
    assert uploads.remove("counting", 1, author, author).status == "removed"
