"""Brackets, OTOs and OCOs as a strategy asks for them, and as it hears of them."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest

from shared.candles.timeframes import MINUTE_NS
from shared.models.margin import MarginTerms
from shared.models.orders import OrderReply, Refusal, StopLoss, SubmitOrder, TakeProfit
from strategy_workers.backtests.candles_run import run_candles
from strategy_workers.backtests.outcome import no_progress
from strategy_workers.runtime.commands import commands_of, take_answer
from strategy_workers.runtime.deployment import Deployment, HookError
from strategy_workers.runtime.holdings import Holding
from strategy_workers.runtime.working_order import WorkingOrder
from strategy_workers.sdk import Candle, OrderEvent, Stop, Strategy
from tests.strategy_workers.backtests.support import MONDAY_NS, plan_of, write_candles
from tests.strategy_workers.test_sma_crossover import Trading
from tests.strategy_workers.test_strategy_orders import Act, acting, sent

D = Decimal


def bracket(strategy: Strategy, symbol: str) -> str:
    return strategy.buy(symbol, 3, 99, take_profit=110, stop_loss=Stop(95, 94.5))


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (
            bracket,
            ("bracket", "limit", D(99), TakeProfit(limit_price=D(110)),
             StopLoss(stop_price=D(95), limit_price=D("94.5"))),
        ),
        (
            lambda strategy, symbol: strategy.buy(symbol, 3, stop_loss=Stop(trail_percent=2)),
            ("oto", "market", None, None, StopLoss(trail_percent=D(2))),
        ),
        (
            lambda strategy, symbol: strategy.oco(symbol, take_profit=110, stop_loss=95),
            ("oco", "limit", None, TakeProfit(limit_price=D(110)), StopLoss(stop_price=D(95))),
        ),
    ],
)  # fmt: skip
def test_exits_go_with_the_order_in_one_command(act: Act, expected: tuple[Any, ...]) -> None:
    [order] = sent(act, held=3)
    assert (
        order.order_class, order.order_type, order.limit_price, order.take_profit, order.stop_loss
    ) == expected  # fmt: skip
    assert order.qty == 3


def test_an_order_says_whether_it_fills_in_extended_hours() -> None:
    orders = sent(lambda strategy, symbol: strategy.buy(symbol, 1, 99, extended_hours=True))
    assert [order.extended_hours for order in orders] == [True]
    assert [order.extended_hours for order in sent(bracket)] == [None]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"take_profit": 0}, "price must be above zero"),
        ({"stop_loss": float("nan")}, "not a number to trade with"),
        ({"stop_loss": Stop()}, "a stop loss has a price or a trail"),
        ({"stop_loss": Stop(limit_price=90)}, "a stop loss has a price or a trail"),
        ({"stop_loss": Stop(95, trail_price=1)}, "has no other price"),
        ({"stop_loss": Stop(trail_price=1, trail_percent=1)}, "not both"),
        ({"extended_hours": "yes"}, "is true or false"),
    ],
)
def test_exits_that_make_no_sense_pause_the_deployment(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(HookError, match=message):
        Trading(acting(lambda strategy, symbol: strategy.buy(symbol, 1, **terms))).feed([100.0])


def numbers(look: Callable[[Strategy, str], object], held: int = 0) -> list[object]:
    seen: list[object] = []
    Trading(acting(lambda s, symbol: seen.append(look(s, symbol)), held), fills=False).feed([100.0])
    return seen


def test_exits_are_neither_pending_nor_do_they_take_buying_power() -> None:
    def look(strategy: Strategy, symbol: str) -> object:
        bracket(strategy, symbol)
        return strategy.pending(symbol), strategy.buying_power

    assert numbers(look) == [(3, 10_000 - 3 * 99)]


def test_what_exits_keep_is_not_sold_besides_them_and_given_to_them_once() -> None:
    def look(strategy: Strategy, symbol: str) -> object:
        strategy.oco(symbol, take_profit=110, stop_loss=95, qty=2)
        strategy.sell(symbol, 2)  # one is free
        return strategy.oco(symbol, take_profit=120, stop_loss=90), strategy.pending(symbol)

    deployment = acting(look, held=3)
    Trading(deployment, fills=False).feed([100.0])
    orders = [command for _, command in commands_of(deployment, "")[0]]
    assert [order.qty for order in orders if isinstance(order, SubmitOrder)] == [2, 1]
    assert deployment.has_news  # the sale of two is refused


def test_an_oco_of_nothing_is_none() -> None:
    assert numbers(lambda s, symbol: s.oco(symbol, take_profit=110, stop_loss=95)) == [None]


def test_to_close_ends_entries_and_exits_and_sells_the_rest() -> None:
    def act(strategy: Strategy, symbol: str) -> None:
        strategy.oco(symbol, take_profit=110, stop_loss=95)
        bracket(strategy, symbol)
        strategy.close(symbol)

    deployment = acting(act, held=4)
    trading = Trading(deployment, fills=False)
    trading.feed([100.0])
    # Of each group one: the others go with it.
    assert [name.rpartition("-")[2] for name in trading.cancelled] == ["2", "1", "2.take_profit"]
    assert trading.orders[-1] == (1, "sell", D(4))


def test_a_target_of_nothing_frees_what_exits_keep() -> None:
    def act(strategy: Strategy, symbol: str) -> None:
        strategy.oco(symbol, take_profit=110, stop_loss=95)
        strategy.target_position(symbol, 4)
        strategy.target_position(symbol, 0)

    trading = Trading(acting(act, held=4), fills=False)
    trading.feed([100.0])
    assert [order[1:] for order in trading.orders] == [("sell", 4), ("sell", 4)]
    assert len(trading.cancelled) == 1


def answered(deployment: Deployment, *legs: str) -> None:
    [(outgoing, command)], _ = commands_of(deployment, "")
    assert isinstance(command, SubmitOrder)
    orders = [made(command, leg, place) for place, leg in enumerate(("", *legs), start=1)]
    reply = OrderReply(request_id=command.request_id, order=orders[0], legs=tuple(orders[1:]))
    take_answer(deployment, outgoing, reply)


def made(command: SubmitOrder, leg: str, place: int) -> Any:
    class Made:
        id = UUID(int=place)
        client_order_id = command.client_order_id + leg

    return Made


def test_the_answer_names_all_orders_of_the_group_so_that_each_can_be_cancelled() -> None:
    deployment = acting(bracket)
    Trading(deployment, fills=False).feed([100.0])
    answered(deployment, ".take_profit", ".stop_loss")
    found = [order.order_id for order in deployment.portfolio.working.values()]
    assert found == [UUID(int=place) for place in (1, 2, 3)]
    # And whoever takes over knows them.
    deployment.saved()
    successor = acting(bracket)
    successor.restore(deployment.snapshot())
    assert successor.portfolio == deployment.portfolio


def test_a_group_that_is_refused_leaves_nothing_behind() -> None:
    deployment = acting(bracket)
    trading = Trading(deployment, fills=False)
    trading.feed([100.0])
    [(outgoing, command)], _ = commands_of(deployment, "")
    why = Refusal(request_id=command.request_id, code="exit_on_wrong_side", message="No.")
    take_answer(deployment, outgoing, why)
    deployment._strategy.on_candle = lambda _: None  # type: ignore[method-assign]
    trading.feed([100.0])
    assert deployment.portfolio.working == {}
    assert deployment._strategy.state["heard"] == [["refused", "exit_on_wrong_side"]]


def test_exits_whose_cancel_is_refused_keep_the_position_on() -> None:
    def act(strategy: Strategy, symbol: str) -> None:
        strategy.cancel(symbol, "b.stop_loss")

    deployment = acting(act, held=2)
    for name, role in (("b", "take_profit"), ("b.stop_loss", "stop_loss")):
        deployment.portfolio.working[name] = WorkingOrder(
            "SPY", "sell", D(2), None, None, UUID(int=9), group="b", role=role  # type: ignore[arg-type]
        )  # fmt: skip
    Trading(deployment, fills=False).feed([100.0])
    assert deployment.desk.closing("SPY", "sell") == 0
    [(outgoing, command)], _ = commands_of(deployment, "")
    take_answer(deployment, outgoing, Refusal(request_id=command.request_id, code="x", message=""))
    assert deployment.desk.closing("SPY", "sell") == 2


@pytest.mark.parametrize(
    ("side", "role", "position", "adds"),
    [
        ("buy", None, 0, True),
        ("sell", None, 0, True),
        ("buy", None, 5, True),
        ("sell", None, 5, False),
        ("buy", None, -5, False),
        ("sell", None, -5, True),
        ("sell", "entry", 5, True),
        ("buy", "stop_loss", 0, False),
    ],
)
def test_a_pause_ends_what_would_add_to_a_position_long_or_short(
    side: Any, role: Any, position: int, adds: bool
) -> None:
    order = WorkingOrder("SPY", side, D(1), None, role=role)
    assert order.adds_to(D(position)) == adds


class Bracketed(Strategy):
    """Buys a bracket on its first candle, and notes what it hears of its orders."""

    name = "bracketed"
    heard: ClassVar[list[str]] = []

    def on_candle(self, candle: Candle) -> None:
        if "id" not in self.state:
            self.state["id"] = self.buy(candle.symbol, 5, take_profit=12, stop_loss=8)
        elif self.position(candle.symbol) and "moved" not in self.state:
            self.state["moved"] = self.replace(f"{self.state['id']}.stop_loss", stop_price=9)

    def on_order(self, event: OrderEvent) -> None:
        role = event.order.group_role if event.order else None
        self.heard.append(f"{role} {event.kind} {event.reason_code or ''}".strip())


def _run(folder: Path, *prices: tuple[float, float, float, float]) -> tuple[list[str], list[Any]]:
    Bracketed.heard = []
    bars = [(MONDAY_NS + n * MINUTE_NS, *bar) for n, bar in enumerate(prices)]
    plan = plan_of(Bracketed, [write_candles(folder / "AAA.csv", bars)])
    outcome = run_candles(plan, no_progress)
    return Bracketed.heard, [(one.side, one.qty, one.price) for one in outcome.executions]


_ENTERED = ["entry accepted", "take_profit held", "stop_loss held"]
_ACTIVE = ["take_profit accepted", "stop_loss accepted", "entry filled"]


def test_a_backtest_tells_each_step_of_a_bracket(tmp_path: Path) -> None:
    heard, fills = _run(tmp_path, (10, 10, 10, 10), (10, 11, 10, 10), (10, 12.5, 10, 12))
    assert fills == [("buy", 5, 10), ("sell", 5, 12)]
    assert heard == [
        *_ENTERED, *_ACTIVE, "stop_loss accepted", "stop_loss replaced", "take_profit filled",
        "stop_loss cancelled other_exit_filled",
    ]  # fmt: skip


def test_a_stop_loss_that_was_moved_fills_where_it_is_now(tmp_path: Path) -> None:
    _, fills = _run(tmp_path, (10, 10, 10, 10), (10, 11, 10, 10), (10, 10, 8.5, 9))
    assert fills == [("buy", 5, 10), ("sell", 5, D("8.5"))]


def test_a_short_bracket_is_for_margin_accounts() -> None:
    def short(strategy: Strategy, symbol: str) -> None:
        strategy.sell(symbol, 2, take_profit=90, stop_loss=110)

    assert sent(short) == []
    deployment = acting(short)
    deployment.desk.margin = MarginTerms()
    Trading(deployment, fills=False).feed([100.0])
    [order] = deployment.outbox
    assert not deployment.has_news
    assert deployment.desk.closing("SPY", "buy") == 0
    # Its exits keep what the entry has filled.
    name = order.client_order_id
    deployment.portfolio.own["SPY"] = Holding(D(-2), D(100))
    del deployment.portfolio.working[name]
    assert deployment.desk.closing("SPY", "buy") == 2
    assert list(deployment.desk.exits("SPY")) == [f"{name}.take_profit"]


@pytest.mark.parametrize(
    ("side", "margin"), [("buy", MarginTerms()), ("buy", None), ("sell", MarginTerms())]
)
@pytest.mark.parametrize("filled", [0, 4])
@pytest.mark.parametrize("exits", ["oto", "bracket"])
def test_a_target_of_nothing_sells_no_more_than_an_entry_has_filled(
    side: Any, exits: str, filled: int, margin: MarginTerms | None
) -> None:
    deployment = acting(lambda strategy, symbol: strategy.target_position(symbol, 0))
    deployment.desk.margin = margin
    opposite: Any = "sell" if side == "buy" else "buy"
    working = {"e": WorkingOrder("SPY", side, D(10 - filled), None, group="e", role="entry")}
    working["e.stop_loss"] = WorkingOrder("SPY", opposite, D(10), None, group="e", role="stop_loss")
    if exits == "bracket":
        working["e.take_profit"] = WorkingOrder(
            "SPY", opposite, D(10), D(110), group="e", role="take_profit"
        )
    deployment.portfolio.working.update(working)
    held = D(filled if side == "buy" else -filled)
    deployment.portfolio.own["SPY"] = Holding(held, D(100))
    deployment.portfolio.holdings["SPY"] = Holding(held, D(100))
    trading = Trading(deployment, fills=False)
    trading.feed([100.0])
    assert trading.cancelled == ["e.stop_loss"]  # which takes the others along
    assert [order[1:] for order in trading.orders] == ([(opposite, filled)] if filled else [])
    assert not deployment.has_news  # nothing was refused


@pytest.mark.parametrize(
    ("side", "held", "ended"),
    [("buy", 0, True), ("sell", 0, True), ("buy", 2, True), ("sell", 2, False), ("sell", -2, True)],
)
def test_to_close_ends_what_would_open_a_position_on_either_side(
    side: Any, held: int, ended: bool
) -> None:
    deployment = acting(lambda strategy, symbol: strategy.close(symbol), held)
    deployment.desk.margin = MarginTerms()
    deployment.portfolio.working["w"] = WorkingOrder("SPY", side, D(2), D(100))
    trading = Trading(deployment, fills=False)
    trading.feed([100.0])
    assert trading.cancelled == (["w"] if ended else [])


def test_a_target_of_nothing_ends_a_bracket_that_waits_and_opens_no_short(tmp_path: Path) -> None:
    class Hesitant(Strategy):
        name = "hesitant"

        def on_candle(self, candle: Candle) -> None:
            count = self.state["candles"] = self.state.get("candles", 0) + 1
            if count == 1:
                self.buy(candle.symbol, 5, 8, take_profit=12, stop_loss=7)
            else:
                self.target_position(candle.symbol, 0)

    bars = [(MONDAY_NS + place * MINUTE_NS, 10.0, 10.0, 10.0, 10.0) for place in range(5)]
    plan = plan_of(Hesitant, [write_candles(tmp_path / "AAA.csv", bars)], margin=MarginTerms())
    assert run_candles(plan, no_progress).executions == []
