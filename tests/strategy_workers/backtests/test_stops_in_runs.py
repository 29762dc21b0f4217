"""Stops in the books of a backtest: only bars that can't touch them are skipped."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from shared.candles.timeframes import MINUTE_NS
from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import Order, SubmitOrder
from shared.trading.terms import Instrument, Refused
from strategy_workers.backtests.account import ACCOUNT_ID
from strategy_workers.backtests.candle_market import load_market
from strategy_workers.backtests.candles_run import CandlesRun
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.backtests.result import execution_rows
from strategy_workers.runtime.desk import market_time
from strategy_workers.sdk import Candle, Strategy
from tests.strategy_workers.backtests.support import (
    MONDAY_NS,
    Bar,
    plan_of,
    stamp,
    write_candles,
)

AAA = Symbol("AAA")
#: More bars than are looked at in one go for one that touches an order.
QUIET_BARS = 150


class Idle(Strategy):
    name = "idle"

    def on_candle(self, candle: Candle) -> None:
        pass


def market(*last: tuple[float, float, float, float]) -> list[Bar]:
    quiet = [(10.0, 10.2, 9.8, 10.0)] * QUIET_BARS
    return [(MONDAY_NS + n * MINUTE_NS, *bar) for n, bar in enumerate([*quiet, *last])]


def at_bar(number: int, thirds: int) -> str:
    return stamp(MONDAY_NS + number * MINUTE_NS + thirds * MINUTE_NS // 3)


def submit(run: CandlesRun, name: str, **terms: Any) -> Order:
    command = SubmitOrder(
        request_id=name,
        reply_to="",
        account_id=AccountId(ACCOUNT_ID),
        mode="paper",
        client_order_id=name,
        submitted_by=f"user:{UUID(int=1)}",
        symbol=AAA,
        time_in_force="gtc",
        **{"side": "buy", "qty": Decimal(5), **terms},
    )
    instrument = Instrument(AAA, "24/7", "USD", Decimal("0.01"), Decimal(1), tradable=True)
    books = run._stage.account.books
    taken = books.submit(command, instrument, Decimal(10), market_time(MONDAY_NS), "", None)
    assert not isinstance(taken, Refused), taken
    [change] = taken
    assert change.order.status == "accepted", change.order.reason
    return change.order


def run_of(tmp_path: Path, bars: list[Bar]) -> CandlesRun:
    plan = plan_of(Idle, [write_candles(tmp_path / "AAA.csv", bars)])
    return CandlesRun(plan, load_market(plan, ("1m",)), no_progress)


def fills(outcome: Outcome) -> list[tuple[str, str, Decimal]]:
    return [
        (row["at"], row["side"], Decimal(row["price"]))
        for row in execution_rows(outcome.executions)
    ]


def test_a_stop_fills_in_the_bar_that_reaches_it(tmp_path: Path) -> None:
    run = run_of(tmp_path, market((10, 12, 9.9, 11), (11, 11, 11, 11)))
    submit(run, "stop", order_type="stop", stop_price=Decimal("10.50"))
    assert fills(run.run()) == [(at_bar(QUIET_BARS, 2), "buy", Decimal(12))]


def test_a_stop_limit_rests_at_its_limit_once_triggered(tmp_path: Path) -> None:
    run = run_of(tmp_path, market((10, 12, 9.9, 12), (12, 12, 10, 12)))
    submit(
        run,
        "stop-limit",
        order_type="stop_limit",
        stop_price=Decimal("10.50"),
        limit_price=Decimal("10.60"),
    )
    assert fills(run.run()) == [(at_bar(QUIET_BARS + 1, 2), "buy", Decimal("10.60"))]


def test_a_trailing_stop_follows_quiet_bars_to_its_trigger(tmp_path: Path) -> None:
    # Falls to 9, from where the stop to buy is at 9.50.
    run = run_of(tmp_path, market((9.8, 9.8, 9, 9.2), (9.2, 9.6, 9.2, 9.4)))
    submit(run, "trail", order_type="trailing_stop", trail_price=Decimal("0.50"))
    assert fills(run.run()) == [(at_bar(QUIET_BARS + 1, 2), "buy", Decimal("9.60"))]
