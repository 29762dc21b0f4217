"""From candles: the same decisions and fills as from the prints that the candles stand for."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from shared.candles.timeframes import MINUTE_NS
from shared.trading.paper_terms import basis_points, parse_paper_terms
from strategy_workers.backtests.candles_run import run_candles
from strategy_workers.backtests.errors import StrategyRaisedError
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.backtests.result import execution_rows
from strategy_workers.backtests.trades_run import run_trades
from strategy_workers.sdk import SMA, Candle, OrderEvent, Strategy
from tests.strategy_workers.backtests.support import (
    MONDAY_NS,
    Bar,
    Busy,
    plan_of,
    stamp,
    walk,
    write_candles,
    write_prints,
)


def bars_of(*prices: tuple[float, float, float, float]) -> list[Bar]:
    return [(MONDAY_NS + n * MINUTE_NS, *bar) for n, bar in enumerate(prices)]


def fills(outcome: Outcome) -> list[tuple[str, str, Decimal, Decimal]]:
    return [
        (row["at"], row["side"], Decimal(row["qty"]), Decimal(row["price"]))
        for row in execution_rows(outcome.executions)
    ]


class OnFirst(Strategy):
    """Does one thing on its first candle."""

    name = "on_first"

    def on_candle(self, candle: Candle) -> None:
        if not self.state:
            self.state["done"] = True
            self.act(candle)

    def act(self, candle: Candle) -> None:
        self.buy(candle.symbol, 5)


class LimitOnFirst(OnFirst):
    name = "limit_on_first"

    def act(self, candle: Candle) -> None:
        self.buy(candle.symbol, 5, Decimal("9.5"))


def test_a_market_order_fills_at_the_next_open(tmp_path: Path) -> None:
    bars = bars_of((10, 11, 9, 10), (12, 13, 11, 12), (13, 14, 12, 13))
    outcome = run_candles(
        plan_of(OnFirst, [write_candles(tmp_path / "AAA.csv", bars)]), no_progress
    )
    assert fills(outcome) == [(stamp(MONDAY_NS + MINUTE_NS), "buy", Decimal(5), Decimal(12))]


def test_fee_and_slippage_are_paid(tmp_path: Path) -> None:
    bars = bars_of((10, 11, 9, 10), (100, 101, 99, 100))
    plan = plan_of(
        OnFirst,
        [write_candles(tmp_path / "AAA.csv", bars)],
        fee_bps=Decimal(10),
        slippage_bps=Decimal(50),
        reserve_buffer_bps=Decimal(10_000),
    )
    (execution,) = run_candles(plan, no_progress).executions
    assert execution.price == Decimal("100.50")
    assert execution.fee == Decimal("0.50")


def test_a_limit_that_rests_fills_at_its_price_when_the_path_comes_to_it(tmp_path: Path) -> None:
    bars = bars_of((10, 11, 10, 10), (10, 10.5, 9.8, 10), (10, 10.2, 9.4, 10))
    path = write_candles(tmp_path / "AAA.csv", bars)
    outcome = run_candles(plan_of(LimitOnFirst, [path]), no_progress)
    # 10.2 is nearer to the open: the low comes second, two thirds into the candle.
    at = stamp(MONDAY_NS + 2 * MINUTE_NS + 40_000_000_000)
    assert fills(outcome) == [(at, "buy", Decimal(5), Decimal("9.5"))]


def test_an_order_of_the_last_candle_stays_unfilled(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "AAA.csv", bars_of((10, 11, 9, 10)))
    outcome = run_candles(plan_of(OnFirst, [path]), no_progress)
    assert (outcome.orders, fills(outcome)) == (1, [])
    assert outcome.equity == outcome.cash == Decimal(100_000)


class Faulty(Strategy):
    name = "faulty"

    def on_candle(self, candle: Candle) -> None:
        raise RuntimeError(f"no idea about {candle.close}")


def test_what_a_strategy_raises_ends_the_run_with_its_words(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "AAA.csv", bars_of((10, 11, 9, 10)))
    with pytest.raises(StrategyRaisedError, match=r"no idea about 10\.0") as raised:
        run_candles(plan_of(Faulty, [path]), no_progress)
    assert "on_candle" in raised.value.traceback


class Listener(Strategy):
    name = "listener"
    heard: ClassVar[list[str]] = []

    def on_candle(self, candle: Candle) -> None:
        self.heard.append(f"candle {candle.close:g} {self.position(candle.symbol):g}")
        if candle.close == 10:
            self.buy(candle.symbol, 1)

    def on_order(self, event: OrderEvent) -> None:
        self.heard.append(event.kind)

    def on_stop(self) -> None:
        self.heard.append("stop")


def test_a_strategy_hears_what_it_would_hear_on_the_platform(tmp_path: Path) -> None:
    Listener.heard = []
    path = write_candles(tmp_path / "AAA.csv", bars_of((10, 11, 9, 10), (12, 13, 11, 12)))
    run_candles(plan_of(Listener, [path]), no_progress)
    assert Listener.heard == ["candle 10 0", "accepted", "filled", "candle 12 1", "stop"]


#: Of each print, which has a size of ten, orders take one or two.
IN_PARTS = parse_paper_terms(
    {
        "commission": {"model": "per_share", "amount": "0.005", "minimum": "0.02"},
        "slippage": {"model": "square_root", "bps": "5"},
        "participation_percent": "20",
    }
)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_candles_and_the_prints_they_stand_for_give_the_same_executions(
    tmp_path: Path, seed: int, timeframe: Any
) -> None:
    bars = walk(seed, 400, holes=seed % 2 == 1)
    # Whole intervals only: the last one is decided on when time is taken to its end.
    costs = {"paper": IN_PARTS if seed > 2 else basis_points(Decimal(2), Decimal(3))}
    candles = plan_of(
        Busy,
        [write_candles(tmp_path / "AAA.csv", bars)],
        timeframe=timeframe,
        capital=Decimal(3000),
        **costs,
    )
    candles = replace(candles, parameters=Busy.parse_parameters({"seed": seed}))
    prints = replace(
        candles, source="trades", files=(write_prints(tmp_path / "prints.csv", {"AAA": bars}),)
    )
    ours, theirs = run_candles(candles, no_progress), run_trades(prints, no_progress)
    assert len(ours.executions) > 10
    assert execution_rows(ours.executions) == execution_rows(theirs.executions)
    assert (ours.cash, ours.equity) == (theirs.cash, theirs.equity)
    orders = {execution.order_id for execution in ours.executions}
    assert (len(orders) < len(ours.executions)) == (seed > 2), "only those fill in parts"
    assert (ours.orders, ours.rejected) == (theirs.orders, theirs.rejected)


def test_several_symbols_meet_their_prints_in_the_order_of_time(tmp_path: Path) -> None:
    markets = {"AAA": walk(1, 300), "BBB": walk(2, 300, holes=True)}
    files = [write_candles(tmp_path / f"{name}.csv", bars) for name, bars in markets.items()]
    candles = plan_of(Busy, files, capital=Decimal(2000), fee_bps=Decimal(5))
    prints = replace(
        candles, source="trades", files=(write_prints(tmp_path / "prints.csv", markets),)
    )
    ours, theirs = run_candles(candles, no_progress), run_trades(prints, no_progress)
    assert {execution.symbol for execution in ours.executions} == {"AAA", "BBB"}
    assert execution_rows(ours.executions) == execution_rows(theirs.executions)


class TwoTimeframes(Strategy):
    name = "two_timeframes"
    timeframes = ("5m",)
    heard: ClassVar[list[tuple[str, float, float | None]]] = []

    def on_start(self) -> None:
        self.slow = self.indicator(SMA, 2, timeframe="5m")

    def on_candle(self, candle: Candle) -> None:
        self.heard.append((candle.timeframe, candle.close, self.slow[candle.symbol]))
        if candle.timeframe == "5m":
            self.target_position(candle.symbol, 1 if candle.close > candle.open else 0)


def test_a_strategy_of_two_timeframes_hears_both_as_from_prints(tmp_path: Path) -> None:
    bars = walk(5, 200, holes=True)
    candles = plan_of(TwoTimeframes, [write_candles(tmp_path / "AAA.csv", bars)])
    prints = replace(
        candles, source="trades", files=(write_prints(tmp_path / "prints.csv", {"AAA": bars}),)
    )
    heard = []
    for run, plan in ((run_candles, candles), (run_trades, prints)):
        TwoTimeframes.heard = []
        heard.append((execution_rows(run(plan, no_progress).executions), TwoTimeframes.heard))
    (ours, ours_heard), (theirs, theirs_heard) = heard
    assert ours == theirs
    assert ours_heard == theirs_heard[: len(ours_heard)]
    assert len(theirs_heard) - len(ours_heard) <= 1
