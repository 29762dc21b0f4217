"""Backtests on margin accounts: strategies sell short, borrow, and are closed out."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.candles.timeframes import MINUTE_NS
from shared.models.margin import MarginTerms
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.backtests.result import judged, summary
from strategy_workers.backtests.run import run_backtest
from strategy_workers.runtime.holdings import NOTHING, Holding, after_own, left_of
from strategy_workers.sdk import Candle, Strategy
from tests.strategy_workers.backtests.support import (
    MONDAY_NS,
    Bar,
    plan_of,
    write_candles,
    write_prints,
)

D = Decimal
DAY_MINUTES = 1440


class Bear(Strategy):
    """Short after the first candle, flat after the third, and short again."""

    name = "bear"

    def on_candle(self, candle: Candle) -> None:
        seen = self.state["seen"] = self.state.get("seen", 0) + 1
        if seen in (1, 5):
            self.sell(candle.symbol, 150)
        if seen == 3:
            self.close(candle.symbol)


def bars(*closes: float, every: int = 1) -> list[Bar]:
    made, last = [], closes[0]
    for number, close in enumerate(closes):
        at_ns = MONDAY_NS + number * every * MINUTE_NS
        made.append((at_ns, last, max(last, close), min(last, close), close))
        last = close
    return made


def run(tmp_path: Path, made: list[Bar], source: str = "candles", **terms: Any) -> Outcome:
    if source == "candles":
        file = write_candles(tmp_path / "SPY.csv", made)
    else:
        file = write_prints(tmp_path / "prints.csv", {"SPY": made})
    given = {"capital": D(10_000), "margin": MarginTerms(), **terms}
    return run_backtest(plan_of(Bear, [file], source, **given), no_progress).outcome


@pytest.mark.parametrize("source", ["candles", "trades"])
def test_a_strategy_sells_short_and_buys_back_on_a_margin_account(
    tmp_path: Path, source: str
) -> None:
    outcome = run(tmp_path, bars(100, 90, 80, 80, 80, 80, 80, 80), source)
    assert [(each.side, each.qty, each.price) for each in outcome.executions] == [
        ("sell", D(150), D(100)),
        ("buy", D(150), D(80)),
        ("sell", D(150), D(80)),
    ]
    assert outcome.refused == 0
    assert outcome.cash == D(10_000) + 150 * 20 + 150 * 80
    assert outcome.positions["SPY"][0] == -150
    assert outcome.equity == D(13_000)


def test_on_a_cash_account_the_same_orders_are_refused(tmp_path: Path) -> None:
    outcome = run(tmp_path, bars(100, 90, 80, 80, 80, 80), margin=None)
    assert (outcome.executions, outcome.refused) == ([], 2)


@pytest.mark.parametrize("source", ["candles", "trades"])
def test_a_call_that_is_not_met_closes_the_position_and_ends_the_decisions(
    tmp_path: Path, source: str
) -> None:
    rising = (100, 100, 100.0, 100, 100, 100, 135, 136, 137, 137, 137, 137, 137, 137, 137)
    outcome = run(tmp_path, bars(*rising), source)
    assert (outcome.margin_calls, outcome.liquidations) == (1, 1)
    closed = outcome.executions[-1]
    assert closed.side == "buy"
    assert closed.qty < 150
    # It had ordered three times by then, and not afterwards.
    assert outcome.orders == 3
    assert outcome.equity > 0


def test_interest_and_borrow_fees_are_charged_by_the_day_and_lower_the_curve(
    tmp_path: Path,
) -> None:
    made = bars(*[100.0] * 6, every=DAY_MINUTES)
    plan = plan_of(
        Bear,
        [write_candles(tmp_path / "SPY.csv", made)],
        capital=D(10_000),
        margin=MarginTerms(interest_bps=D(720)),
        borrow_fee_bps=D(360),
        timeframe="1d",
    )
    result = run_backtest(plan, no_progress)
    # 15,000 at 360 basis points: 1.50 for each day that is short.
    days = len(result.outcome.charges)
    assert days == 3
    assert result.outcome.cash - 150 * 100 == D(10_000) - D("1.50") * days
    assert result.outcome.equity == result.curve[-1].equity
    told = summary(judged(plan, result.outcome))
    assert (told["interest"], told["margin_calls"]) == ("4.5", 0)
    assert told["settings"]["margin"]["interest_bps"] == "720"


def test_a_short_position_of_its_own_is_averaged_flipped_and_bought_back() -> None:
    held = after_own(NOTHING, "sell", D(10), D(100))
    held = after_own(held, "sell", D(10), D(110))
    assert held == Holding(D(-20), D(105))
    assert after_own(held, "buy", D(5), D(90)) == Holding(D(-15), D(105))
    assert after_own(held, "buy", D(30), D(90)) == Holding(D(10), D(90))
    assert left_of(held, D(-8)) == Holding(D(-8), D(105))
    assert left_of(held, D(3)) == NOTHING
