"""Orders as a strategy asks for them: what is sent, what is held back, what makes no sense."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.models.orders import Refusal, ReplaceOrder, SubmitOrder
from strategy_workers.runtime.commands import commands_of, take_answer
from strategy_workers.runtime.deployment import Deployment, HookError
from strategy_workers.runtime.holdings import Holding
from strategy_workers.runtime.working_order import WorkingOrder
from strategy_workers.sdk import (
    MACD,
    Candle,
    OrderEvent,
    Strategy,
    StrategyError,
    TimeframeParameter,
)
from tests.strategy_workers.test_sma_crossover import Trading, deployed

D = Decimal
_END = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)

Act = Callable[[Strategy, str], object]


def acting(act: Act, held: int = 0) -> Deployment:
    """A deployment that does `act` on its first candle, at 100."""

    class Acting(Strategy):
        name = "acting"

        def on_candle(self, candle: Candle) -> None:
            act(self, candle.symbol)

        def on_order(self, event: OrderEvent) -> None:
            self.state.setdefault("heard", []).append([event.kind, event.reason_code])

    deployment = deployed(strategy=Acting, parameters={})
    deployment.portfolio.own["SPY"] = Holding(D(held), D(90))
    return deployment


def sent(act: Act, held: int = 0) -> list[SubmitOrder]:
    trading = Trading(acting(act, held), fills=False)
    trading.feed([100.0])
    ready, _ = commands_of(trading.deployment, "")
    return [command for _, command in ready if isinstance(command, SubmitOrder)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, {"order_type": "market"}),
        ({"limit_price": 99.5}, {"order_type": "limit", "limit_price": D("99.5")}),
        ({"stop_price": 101}, {"order_type": "stop", "stop_price": D(101)}),
        (
            {"stop_price": 101, "limit_price": D("101.2")},
            {"order_type": "stop_limit", "stop_price": D(101), "limit_price": D("101.2")},
        ),
        ({"trail_price": 0.5}, {"order_type": "trailing_stop", "trail_price": D("0.5")}),
        ({"trail_percent": 2}, {"order_type": "trailing_stop", "trail_percent": D(2)}),
        ({"time_in_force": "day"}, {"time_in_force": "day"}),
        ({"expires_at": _END}, {"time_in_force": "gtd", "expires_at": _END}),
    ],
)
def test_the_type_of_an_order_follows_from_its_prices(
    terms: dict[str, Any], expected: dict[str, Any]
) -> None:
    nothing = dict.fromkeys(("limit_price", "stop_price", "trail_price", "trail_percent"))
    wanted = {"order_type": "market", "time_in_force": "gtc", "expires_at": None, **nothing}
    for side, held in (("buy", 0), ("sell", 3)):
        [order] = sent(
            lambda strategy, symbol, s=side: getattr(strategy, s)(symbol, 3, **terms), held
        )
        found = {name: getattr(order, name) for name in wanted}
        assert found == {**wanted, **expected}
        assert (order.side, order.qty, order.symbol) == (side, 3, "SPY")


@pytest.mark.parametrize(
    ("qty", "terms", "message"),
    [
        (0, {}, "quantity must be above zero"),
        (-1, {}, "quantity must be above zero"),
        (float("nan"), {}, "not a number to trade with"),
        (float("inf"), {}, "not a number to trade with"),
        (1, {"limit_price": 0}, "price must be above zero"),
        (1, {"stop_price": -1}, "price must be above zero"),
        (1, {"trail_percent": float("nan")}, "not a number to trade with"),
        (1, {"trail_price": 1, "trail_percent": 1}, "a price or a percentage, not both"),
        (1, {"trail_price": 1, "limit_price": 1}, "has no other price"),
        (1, {"trail_price": 1, "stop_price": 1}, "has no other price"),
        (1, {"expires_at": _END, "time_in_force": "day"}, "only a gtd order has an end"),
    ],
)
def test_an_order_that_makes_no_sense_pauses_the_deployment(
    qty: float, terms: dict[str, Any], message: str
) -> None:
    deployment = acting(lambda strategy, symbol: strategy.buy(symbol, qty, **terms))
    with pytest.raises(HookError, match=message):
        Trading(deployment).feed([100.0])


def test_a_sale_of_more_than_the_deployment_holds_is_not_sent_but_told() -> None:
    deployment = acting(lambda strategy, symbol: strategy.sell(symbol, 3), held=2)
    deployment.portfolio.holdings["SPY"] = Holding(D(50), D(90))
    trading = Trading(deployment)
    assert trading.feed([100.0]) == []
    # Not lost either when another worker takes over before it is told.
    successor = acting(lambda *_: None)
    deployment.saved()
    successor.restore(deployment.snapshot())
    trading.deployment = successor
    trading.feed([100.0])
    assert successor._strategy.state["heard"] == [["refused", "position_not_held"]]
    assert successor.portfolio.working == {}


def test_what_is_for_sale_already_can_not_be_sold_again() -> None:
    def twice(strategy: Strategy, symbol: str) -> None:
        strategy.sell(symbol, 2, stop_price=95)
        strategy.sell(symbol, 1)

    assert [order.qty for order in sent(twice, held=2)] == [2]


def test_what_is_cancelled_in_the_same_moment_can_be_sold() -> None:
    def instead(strategy: Strategy, symbol: str) -> None:
        stop = strategy.sell(symbol, 2, stop_price=95)
        strategy.cancel(symbol, stop)
        strategy.close(symbol)

    assert [order.order_type for order in sent(instead, held=2)] == ["stop", "market"]


def resting(act: Act, held: int = 10) -> Trading:
    """A deployment with a stop to sell 4 that works at 95, and half filled; it acts now."""
    deployment = acting(act, held)
    deployment.portfolio.working["old"] = WorkingOrder(
        "SPY", "sell", D(3), None, D(95), UUID(int=7), filled_qty=D(1)
    )
    trading = Trading(deployment, fills=False)
    trading.feed([100.0])
    return trading


def raised_to_six(strategy: Strategy, _symbol: str) -> None:
    strategy.replace("old", qty=6, stop_price=96)


def replacement(trading: Trading) -> ReplaceOrder:
    [(_, command)], _ = commands_of(trading.deployment, "")
    assert isinstance(command, ReplaceOrder)
    return command


def test_a_replacement_is_a_command_of_its_own_and_counts_for_the_old_order() -> None:
    trading = resting(raised_to_six)
    command = replacement(trading)
    assert (command.order_id, command.qty, command.stop_price) == (UUID(int=7), 6, 96)
    assert command.submitted_by == trading.deployment.participant
    # One of the six has been sold already.
    assert trading.deployment.portfolio.pending("SPY", "sell") == 5


def test_a_replacement_that_is_refused_leaves_the_old_order_working() -> None:
    trading = resting(raised_to_six)
    [(outgoing, command)], _ = commands_of(trading.deployment, "")
    reply = Refusal(request_id=command.request_id, code="order_triggered", message="Too late.")
    take_answer(trading.deployment, outgoing, reply)
    trading.deployment._strategy.on_candle = lambda _: None  # type: ignore[method-assign]
    trading.feed([100.0])
    assert list(trading.deployment.portfolio.working) == ["old"]
    assert trading.deployment.portfolio.pending("SPY", "sell") == 3
    assert trading.deployment._strategy.state["heard"] == [["refused", "order_triggered"]]


def test_a_replacement_that_would_sell_what_others_hold_is_not_sent() -> None:
    trading = resting(raised_to_six, held=4)
    assert commands_of(trading.deployment, "") == ([], [])
    assert trading.deployment.portfolio.pending("SPY", "sell") == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "say what is to change"),
        ({"qty": 0}, "must be above zero"),
        ({"limit_price": -1}, "must be above zero"),
        ({"stop_price": float("nan")}, "not a number to trade with"),
    ],
)
def test_a_replacement_that_makes_no_sense_pauses_the_deployment(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HookError, match=message):
        resting(lambda strategy, _: strategy.replace("old", **changes))


def test_what_does_not_work_is_not_replaced() -> None:
    answers: list[str | None] = []

    def act(strategy: Strategy, symbol: str) -> None:
        answers.append(strategy.replace("unknown", qty=1))
        answers.append(strategy.replace(strategy.buy(symbol, 1, 90), qty=2))
        strategy.cancel(symbol, "old")
        answers.append(strategy.replace("old", qty=5))

    resting(act)
    assert answers == [None, None, None]


def test_the_position_is_the_deployments_own_and_the_accounts_is_told_apart() -> None:
    seen: list[object] = []

    def look(strategy: Strategy, symbol: str) -> None:
        seen.extend(
            (
                strategy.position(symbol),
                strategy.account_position(symbol),
                strategy.entry_price(symbol),
                strategy.position("QQQ"),
                strategy.entry_price("QQQ"),
            )
        )

    deployment = acting(look, held=2)
    deployment.portfolio.holdings["SPY"] = Holding(D(50), D(80))
    Trading(deployment).feed([100.0])
    assert seen == [2, 50, 90, 0, None]


@pytest.mark.parametrize(
    ("terms", "taken"),
    [
        ({"limit_price": 90}, 90),
        ({"stop_price": 110}, 110),
        ({"stop_price": 110, "limit_price": 120}, 120),
        ({"trail_price": 5}, 105),
        ({"trail_percent": 10}, 110),
        ({}, 100),
    ],
)
def test_buying_power_counts_what_a_working_buy_may_cost(terms: dict[str, Any], taken: int) -> None:
    seen: list[Decimal] = []

    def act(strategy: Strategy, symbol: str) -> None:
        strategy.buy(symbol, 1, **terms)
        seen.append(strategy.buying_power)

    Trading(acting(act), fills=False).feed([100.0])
    assert seen == [10_000 - taken]


def test_prices_are_rounded_to_ticks_and_never_to_nothing() -> None:
    seen: list[Decimal] = []

    def act(strategy: Strategy, symbol: str) -> None:
        seen.extend(
            (
                strategy.on_tick(symbol, 99.999),
                strategy.on_tick(symbol, 99.991, up=True),
                strategy.on_tick(symbol, 0.001),
            )
        )

    Trading(acting(act)).feed([100.0])
    assert seen == [D("99.99"), D("100.00"), D("0.01")]


@pytest.mark.parametrize(
    "act",
    [
        lambda strategy, _: strategy.call_every("beat", timedelta(0)),
        lambda strategy, _: strategy.call_at("once", datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda strategy, _: strategy.call_at(7, _END),
    ],
)
def test_a_timer_that_makes_no_sense_pauses_the_deployment(act: Act) -> None:
    with pytest.raises(HookError, match="timer"):
        Trading(acting(act)).feed([100.0])


class Timed(Strategy):
    name = "timed"
    slow = TimeframeParameter(default="5m")

    def on_start(self) -> None:
        self.trend = self.indicator(MACD, 3, 6, 2)
        self.call_every("beat", timedelta(minutes=3))

    def on_candle(self, candle: Candle) -> None:
        self.state.setdefault("values", []).append(list(self.trend[candle.symbol] or ()))

    def on_timer(self, name: str) -> None:
        self.state.setdefault(name, []).append(self.now.minute)


def test_timers_and_tuples_of_indicators_survive_every_change_of_worker() -> None:
    def fresh() -> Deployment:
        return deployed(strategy=Timed, parameters={})

    prices = [100 + (7 * n) % 5 for n in range(20)]
    undisturbed, moved = Trading(fresh()), Trading(fresh())
    undisturbed.feed(prices)
    for price in prices:
        successor = fresh()
        moved.deployment.saved()
        successor.restore(moved.deployment.snapshot())
        moved.deployment = successor
        moved.feed([price])
    assert moved.deployment._strategy.state == undisturbed.deployment._strategy.state
    assert undisturbed.deployment._strategy.state["beat"] == [1, 4, 7, 10, 13, 16, 19]


def test_a_timeframe_that_is_a_parameter_is_heard() -> None:
    deployment = deployed(strategy=Timed, parameters={"slow": "1h"})
    assert deployment.market.timeframes == ("1m", "1h")
    schema: Any = Timed.parameters_schema()["properties"]
    assert schema["slow"]["enum"][:2] == ["1m", "3m"]


def test_orders_and_timers_are_for_hooks() -> None:
    with pytest.raises(StrategyError, match="isn't running"):
        Timed(Timed.parse_parameters({})).call_off("beat")


class _NotAddedUp(dict[str, WorkingOrder]):
    def values(self) -> Any:
        raise AssertionError("all that works was gone through")


def test_a_buy_costs_the_same_however_many_orders_work() -> None:
    trading = Trading(acting(lambda strategy, symbol: strategy.buy(symbol, 1, 99)), fills=False)
    trading.deployment.portfolio.working = _NotAddedUp(trading.deployment.portfolio.working)
    trading.feed([100.0])
    assert len(trading.deployment.portfolio.working) == 1
