"""A running strategy is paused, resumed and given other parameters; what it knows stays."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, insert, select, text
from sqlalchemy.orm import Session

from shared.database.tables import (
    DeploymentParametersRow,
    DeploymentRow,
    SilentSymbolRow,
    utc_now,
)
from shared.models.orders import CancelOrder
from shared.service.problems import Problem
from strategy_workers.deployments.actions import WorkingOrders
from strategy_workers.runtime.snapshot import OutgoingOrder, decode_snapshot, encode_snapshot
from strategy_workers.runtime.worker import Worker
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.sample_strategies import SAMPLES, SEEN


@pytest.fixture
async def worker(
    worker_settings: StrategyWorkersSettings, desk: OrderDesk
) -> AsyncIterator[Worker]:
    SEEN.clear()
    async with running_worker(worker_settings, SAMPLES) as worker:
        yield worker


class Hand:
    """Does to one deployment what its owner can do, and sees to it that it is done."""

    def __init__(self, platform: Platform, worker: Worker, deployment: UUID) -> None:
        self._platform = platform
        self._worker = worker
        self.id = deployment

    async def reaches(self, status: str) -> None:
        self._worker.look_round()
        await self._platform.reaches(self.id, status)

    async def pause(self, working_orders: WorkingOrders = "cancel_entries") -> None:
        self._platform.deployments.pause(self._platform.account, self.id, working_orders)
        await self.reaches("paused")

    async def resume(self) -> None:
        self._platform.deployments.resume(self._platform.account, self.id)
        await self.reaches("running")
        await eventually(self._held, "held")

    async def change(self, **parameters: Any) -> None:
        version = self._platform.deployments.change_parameters(
            self._platform.account, self.id, parameters, None
        ).parameters_version

        async def applied() -> bool:
            return self._platform.row(self.id).applied_version == version

        self._worker.look_round()
        await eventually(applied, "parameters applied")

    async def _held(self) -> bool:
        return self.id in self._worker.held

    def state(self) -> Any:
        return json.loads(self._platform.row(self.id).snapshot or b"{}")["state"]


async def play(market: TapeEngine, *prices: float) -> None:
    for price in prices:
        await market.slice({"SPY": price})
        await market.wait()


async def started(
    platform: Platform, worker: Worker, market: TapeEngine, strategy: str, **parameters: object
) -> Hand:
    hand = Hand(platform, worker, platform.deploy(strategy, **parameters))
    await hand.reaches("running")
    await eventually(hand._held, "held")
    await market.start()
    return hand


def working(desk: OrderDesk) -> list[str]:
    return sorted(order.side for order in desk.orders.values() if order.status == "accepted")


async def test_a_pause_ends_entries_leaves_exits_and_what_it_knows_is_there_when_it_resumes(
    platform: Platform, worker: Worker, desk: OrderDesk, market: TapeEngine
) -> None:
    hand = await started(platform, worker, market, "guarded")
    await play(market, 100, 101)
    assert working(desk) == ["buy", "sell"]
    await hand.pause()
    assert working(desk) == ["sell"]
    assert hand.state() == {"candles": 2}
    commands = len(desk.commands)
    await play(market, 102, 1000)  # nobody decides, the exit is filled
    await hand.resume()
    await play(market, 103)
    # It has not heard of the candles meanwhile, but of the books.
    assert SEEN == ["has 1, pending 0"]
    assert len(desk.commands) == commands
    await hand.pause()
    await hand.resume()
    await play(market, 104)
    assert platform.signals(hand.id)[-1].seq == 3


async def test_a_pause_can_end_all_orders_or_none_and_the_next_is_not_bound_by_it(
    platform: Platform, worker: Worker, engine: Engine, desk: OrderDesk, market: TapeEngine
) -> None:
    hand = await started(platform, worker, market, "guarded")
    await play(market, 100, 101)
    await hand.pause("keep")
    assert working(desk) == ["buy", "sell"]
    await hand.resume()
    with engine.begin() as connection:  # paused by nobody who says what is to end
        connection.execute(
            text("UPDATE deployments SET wanted = 'paused' WHERE id = :d"), {"d": hand.id}
        )
    await hand.reaches("paused")
    assert working(desk) == ["sell"]
    await hand.resume()
    await hand.pause("cancel_all")
    assert working(desk) == []
    assert sum(isinstance(command, CancelOrder) for command in desk.commands) == 2


async def test_an_exception_pauses_with_the_state_of_before_the_moment_and_resumes_from_there(
    platform: Platform, worker: Worker, market: TapeEngine
) -> None:
    hand = await started(platform, worker, market, "tunable", fault_at=4)
    await play(market, 1, 2, 3)
    await market.slice({"SPY": 4.0})
    await hand.reaches("paused")
    row = platform.row(hand.id)
    assert row.last_error is not None
    assert "that was too much" in row.last_error
    # Nothing was ordered, so nothing had been stored since the start.
    assert hand.state() == {"candles": 3}
    lines = platform.deployments.logs(platform.account, hand.id, None, 10)
    assert [line.seq for line in lines] == [6, 5, 4, 3, 2, 1]
    assert [line.message for line in lines[1:]] == ["heard"] * 4 + ["started"]
    assert (lines[0].level, lines[0].message) == ("error", row.last_error)
    assert lines[1].fields == {"period": "2", "count": "4", "odd": "?"}
    await hand.resume()
    assert platform.row(hand.id).last_error is None
    await market.slice({"SPY": 5.0})
    await hand.reaches("paused")  # the strategy is as faulty as it was
    platform.deployments.change_parameters(platform.account, hand.id, {"fault_at": 1000}, None)
    await hand.resume()
    await play(market, 6)
    assert SEEN[-1].startswith("4: ")


async def test_new_parameters_decide_from_the_next_mark_on_and_state_and_indicators_stay(
    platform: Platform, worker: Worker, engine: Engine, market: TapeEngine
) -> None:
    hand = await started(platform, worker, market, "tunable", period=2)
    await play(market, 1, 2, 3, 4)
    await hand.change(period=3)
    mark = await market.newest_mark_id()
    await play(market, 5)
    # The new average has the candles that were kept, the other one went on.
    assert SEEN == ["1: None None", "2: None 1.5", "3: None 2.5", "4: 2.5 3.5", "5: 3.5 4.0"]
    with Session(engine) as session:
        rows = session.scalars(
            select(DeploymentParametersRow).order_by(DeploymentParametersRow.version)
        ).all()
    assert [(row.version, row.parameters["period"]) for row in rows] == [(1, 2), (2, 3)]
    assert rows[1].tape_id == mark
    assert rows[1].applied_at is not None
    known = platform.deployments.variables(platform.account, hand.id)
    # As of the snapshot that was stored with the new parameters.
    assert (known.tape_id, known.state, known.last_prices) == (mark, {"candles": 4}, {"SPY": 4.0})
    assert known.indicators == {"fixed": {"SPY": 2.5}, "tuned": {"SPY": 3.0}}


async def test_parameters_that_the_strategy_can_not_start_with_are_refused_and_it_runs_on(
    platform: Platform, worker: Worker, market: TapeEngine
) -> None:
    hand = await started(platform, worker, market, "tunable", period=2)
    await play(market, 1, 2)
    with pytest.raises(Problem) as refused:
        platform.deployments.change_parameters(platform.account, hand.id, {"period": 13}, None)
    assert refused.value.code == "invalid_parameters"
    assert "not with 13" in str(refused.value.detail)
    row = platform.row(hand.id)
    assert (row.parameters["period"], row.parameters_version, row.status) == (2, 1, "running")
    await play(market, 3)
    assert SEEN[-1] == "3: None 2.5"


async def test_the_next_worker_goes_on_with_the_parameters_that_were_applied(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    SEEN.clear()
    async with running_worker(worker_settings, SAMPLES) as worker:
        hand = await started(platform, worker, market, "tunable", period=2)
        await play(market, 1, 2)
    platform.deployments.change_parameters(platform.account, hand.id, {"period": 3}, None)
    async with running_worker(worker_settings, SAMPLES) as worker:
        hand = Hand(platform, worker, hand.id)
        await hand.change(fault_at=999)
        await play(market, 3)
    assert SEEN[-1] == "3: None 2.0"
    assert platform.row(hand.id).applied_version == 3


# --- its market data is away ---------------------------------------------------------------------


def fall_silent(engine: Engine, symbol: str = "SPY") -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(SilentSymbolRow).values(
                symbol=symbol, feed="alpaca", since=utc_now(), reason="Nothing has come."
            )
        )


def be_heard(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(delete(SilentSymbolRow))


async def test_a_strategy_without_its_market_data_waits_and_goes_on_by_itself(
    platform: Platform, worker: Worker, desk: OrderDesk, market: TapeEngine, engine: Engine
) -> None:
    hand = await started(platform, worker, market, "guarded")
    fall_silent(engine, "OTHER")
    await play(market, 100, 101)
    assert working(desk) == ["buy", "sell"]
    fall_silent(engine)
    await hand.reaches("paused")
    row = platform.row(hand.id)
    assert (row.wanted, row.hold, row.last_error) == ("running", "Nothing has come.", None)
    assert working(desk) == ["sell"]  # as in a pause: nobody watches what entries would open
    assert f"deployment:{hand.id}" not in await platform.participants()
    newest = platform.deployments.logs(platform.account, hand.id, None, 1)[0]
    assert (newest.level, newest.message) == ("warning", "waits")
    # A resume has nothing to resume.
    platform.deployments.resume(platform.account, hand.id)
    assert platform.row(hand.id).hold == "Nothing has come."
    await play(market, 102)
    be_heard(engine)
    await hand.reaches("running")
    await eventually(hand._held, "held")
    assert platform.row(hand.id).hold is None
    await play(market, 103)
    assert hand.state() is not None


async def test_orders_that_a_dead_worker_had_not_sent_are_sent_before_their_deployment_waits(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    engine: Engine,
) -> None:
    async with running_worker(worker_settings, SAMPLES) as worker:
        hand = await started(platform, worker, market, "guarded")
        await play(market, 100, 101)
    name = f"{hand.id.hex}-9-1"
    with Session(engine) as session, session.begin():
        # As it is stored by one that dies right after its commit.
        row = session.get_one(DeploymentRow, hand.id)
        assert row.status == "running"
        stored = decode_snapshot(row.snapshot or b"")
        stored.outbox = [OutgoingOrder(name, "SPY", "sell", Decimal(1), "limit", Decimal(900))]
        row.snapshot = encode_snapshot(stored)
    fall_silent(engine)
    async with running_worker(worker_settings, SAMPLES) as worker:
        hand = Hand(platform, worker, hand.id)
        await hand.reaches("paused")
        assert platform.row(hand.id).hold == "Nothing has come."
        assert desk.orders[name].status == "accepted"
        assert working(desk) == ["sell", "sell"]  # entries are cancelled as ever
        await play(market, 102)
        assert hand.state() == {"candles": 2}
        be_heard(engine)
        await hand.reaches("running")
        await eventually(hand._held, "held")
    assert [command.request_id for command in desk.commands].count(name) == 1


async def test_a_pause_while_it_waits_is_the_users_own_and_stays(
    platform: Platform, worker: Worker, desk: OrderDesk, market: TapeEngine, engine: Engine
) -> None:
    hand = await started(platform, worker, market, "guarded")
    stopped = await started(platform, worker, market, "tunable")
    await play(market, 100, 101)
    fall_silent(engine)
    await hand.reaches("paused")
    await stopped.reaches("paused")
    platform.deployments.pause(platform.account, hand.id, "cancel_all")
    platform.deployments.stop(platform.account, stopped.id)

    async def ended() -> bool:
        row = platform.row(hand.id)
        return row.status == "paused" and row.wanted == "paused" and working(desk) == []

    worker.look_round()
    await eventually(ended, "its orders ended")
    await stopped.reaches("stopped")
    be_heard(engine)
    other = await started(platform, worker, market, "tunable")  # the worker has looked round
    await other.reaches("running")
    assert platform.row(hand.id).status == "paused"
    # Resumed while its data is away again, it waits for them.
    fall_silent(engine)
    platform.deployments.resume(platform.account, hand.id)

    async def waits() -> bool:
        row = platform.row(hand.id)
        return row.status == "paused" and row.hold is not None

    worker.look_round()
    await eventually(waits, "it waits")
    be_heard(engine)
    await hand.reaches("running")


async def test_a_latch_while_it_waits_outlasts_the_silence(
    platform: Platform, worker: Worker, market: TapeEngine, engine: Engine
) -> None:
    hand = await started(platform, worker, market, "tunable")
    fall_silent(engine)
    await hand.reaches("paused")
    with Session(engine) as session, session.begin():  # as the risk ladder does it
        session.get_one(DeploymentRow, hand.id).wanted = "paused"
    be_heard(engine)
    other = await started(platform, worker, market, "tunable")
    await other.reaches("running")
    assert platform.row(hand.id).status == "paused"
    await hand.resume()
