"""Windows tile the time, stitched runs add up, and what is said of parameters is true."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from shared.candles.timeframes import MINUTE_NS
from shared.metrics.executions import Point
from shared.models.margin import MarginTerms
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.plan import Plan, TimeRange
from strategy_workers.backtests.run import run_backtest
from strategy_workers.optimisation.stitching import (
    Stretch,
    idle_stretch,
    stitched,
    stitched_metrics,
    stretch_of,
)
from strategy_workers.optimisation.trial import run_in_process
from strategy_workers.optimisation.walk_forward import Step, days_with_candles
from strategy_workers.optimisation.walk_report import stability
from strategy_workers.optimisation.windows import Window, walk_windows
from strategy_workers.sdk import SMA, Candle, Strategy, crossed_above
from tests.strategy_workers.backtests.support import MONDAY_NS, Bar, plan_of, walk, write_candles
from tests.strategy_workers.optimisation.support import a_trial

DAYS = [date(2019, 1, 7) + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]


def test_every_day_after_the_first_window_is_out_of_sample_once() -> None:
    windows = walk_windows(DAYS, 4, 2, anchored=False)
    spans = [(one.in_sample, one.out_of_sample) for one in windows]
    assert spans == [
        (TimeRange(DAYS[0], DAYS[3]), TimeRange(DAYS[4], DAYS[5])),
        (TimeRange(DAYS[2], DAYS[5]), TimeRange(DAYS[6], DAYS[7])),
        (TimeRange(DAYS[4], DAYS[7]), TimeRange(DAYS[8], DAYS[9])),
    ]
    # The last one may be short.
    assert walk_windows(DAYS, 5, 3, anchored=False)[-1].out_of_sample == TimeRange(DAYS[8], DAYS[9])


def test_anchored_windows_begin_with_the_first_day() -> None:
    windows = walk_windows(DAYS, 4, 3, anchored=True)
    assert [one.in_sample.first for one in windows] == [DAYS[0], DAYS[0]]
    assert [one.in_sample.last for one in windows] == [DAYS[3], DAYS[6]]


@pytest.mark.parametrize(("inside", "says"), [(10, "leave none to walk into"), (99, "10 days")])
def test_too_few_days_are_refused(inside: int, says: str) -> None:
    with pytest.raises(BadBacktestError, match=says):
        walk_windows(DAYS, inside, 1, anchored=False)


# --- the seams ---------------------------------------------------------------------------------


class Crosser(Strategy):
    """Holds something at most seams."""

    name = "crosser"

    def on_start(self) -> None:
        self.warmup = 40
        self.quick = self.indicator(SMA, 10)
        self.calm = self.indicator(SMA, 40)
        self.heard: list[tuple[int, float | None, float | None]] = []

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        HEARD.append((candle.start_ns, self.calm[symbol], self.calm.previous(symbol)))
        if crossed_above(self.quick, self.calm, symbol):
            self.target_position(symbol, 100)
        elif (self.quick[symbol] or 0.0) < (self.calm[symbol] or 0.0):
            self.close(symbol)


class Flipper(Crosser):
    """Long or short at every seam."""

    name = "flipper"

    def on_candle(self, candle: Candle) -> None:
        quick, calm = self.quick[candle.symbol] or 0.0, self.calm[candle.symbol] or 0.0
        self.target_position(candle.symbol, 100 if quick > calm else -100)


HEARD: list[tuple[int, float | None, float | None]] = []


def _hourly(bars: list[Bar]) -> list[Bar]:
    return [(MONDAY_NS + (at_ns - MONDAY_NS) * 60, *prices) for at_ns, *prices in bars]  # type: ignore[misc]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = write_candles(tmp_path_factory.mktemp("walk") / "AAA.csv", _hourly(walk(4, 24 * 30)))
    return plan_of(
        Crosser, [path], timeframe="1h", fee_bps=Decimal(2), slippage_bps=Decimal(1)
    )  # fmt: skip


def _stretches(plan: Plan) -> list[Stretch]:
    found: list[Stretch] = []
    for window in walk_windows(days_with_candles(plan), 5, 3, anchored=False):
        capital = found[-1].equity if found else plan.terms.capital
        own = replace(
            plan,
            timerange=window.out_of_sample,
            history=window.in_sample,
            terms=replace(plan.terms, capital=capital),
        )
        found.append(stretch_of(own, run_in_process(own)))
    return found


def test_what_is_earned_over_all_seams_is_the_sum_of_all_trades(plan: Plan) -> None:
    stretches = _stretches(plan)
    assert len(stretches) == 9
    profits = sum((trade.profit for each in stretches for trade in each.trades), Decimal(0))
    assert stretches[-1].equity == plan.terms.capital + profits
    held_over = [each for each in stretches if each.executions % 2 == 0 and each.executions]
    assert held_over, "everything that is bought is sold"
    assert all(each.executions % 2 == 0 for each in stretches)
    for before, after in pairwise(stretches):
        assert before.equity == after.capital


def test_short_positions_are_bought_back_at_the_seams(plan: Plan) -> None:
    terms = replace(plan.terms, margin=MarginTerms())
    stretches = _stretches(replace(plan, strategy=Flipper, terms=terms))
    sides = {trade.profit > 0 for each in stretches for trade in each.trades}
    assert sides == {True, False}
    profits = sum((trade.profit for each in stretches for trade in each.trades), Decimal(0))
    assert stretches[-1].equity == plan.terms.capital + profits


@pytest.mark.parametrize("shown", [False, True])
def test_the_stitched_curve_has_each_moment_once(plan: Plan, shown: bool) -> None:
    stretches = _stretches(plan)
    curve = stitched(stretches, shown=shown)
    assert all(one.at_us < other.at_us for one, other in pairwise(curve))
    assert curve[0] == Point(stretches[0].begin_us, plan.terms.capital)
    assert curve[-1] == Point(stretches[-1].end_us, stretches[-1].equity)
    metrics = stitched_metrics(stretches)
    assert metrics["total_return_fraction"] == pytest.approx(
        float(stretches[-1].equity / plan.terms.capital) - 1
    )


def test_a_window_that_is_sat_out_keeps_its_capital() -> None:
    hour_us = 3_600_000_000
    curve = stitched([idle_stretch(Decimal(5), 0, hour_us), idle_stretch(Decimal(5), hour_us, 9)])
    assert {point.equity for point in curve} == {Decimal(5)}


def test_a_run_after_a_history_hears_what_a_longer_run_hears(plan: Plan) -> None:
    """Values of averages at the seam are there from the first candle on, and the same."""
    HEARD.clear()
    run_backtest(plan)
    whole = {at_ns: values for at_ns, *values in HEARD}
    HEARD.clear()
    after = replace(
        plan,
        timerange=TimeRange(date(2019, 1, 20), date(2019, 1, 22)),
        history=TimeRange(date(2019, 1, 10), date(2019, 1, 19)),
    )
    run_backtest(after)
    assert len(HEARD) == 3 * 24
    # The average over the last 40 candles; the one before it was not warm yet.
    assert HEARD[0][1] is not None
    for at_ns, *values in HEARD[1:]:
        assert values == pytest.approx(whole[at_ns])
    first_ns = HEARD[0][0]
    assert HEARD[0][1] == pytest.approx(whole[first_ns][0])
    assert (first_ns - MONDAY_NS) % (24 * 60 * MINUTE_NS) == 0


# --- what is said of it ------------------------------------------------------------------------


def _step(number: int, point: dict[str, Any] | None) -> Step:
    window = Window(number, TimeRange(), TimeRange())
    best = None if point is None else a_trial(number, 1.0, point)
    return Step(window, best, 3, {}, idle_stretch(Decimal(1), 0, 1))


def test_stability_is_that_of_the_windows_that_chose() -> None:
    points: list[Any] = [
        {"fast": 4, "kind": "a"},
        {"fast": 4, "kind": "b"},
        None,
        {"fast": 10, "kind": "b"},
    ]
    found = stability([_step(n, point) for n, point in enumerate(points)], ["fast", "kind"])
    assert found["fast"]["values"] == [4, 4, 10]
    assert (found["fast"]["distinct"], found["fast"]["kept_fraction"]) == (2, 0.5)
    assert found["fast"]["mean"] == 6
    assert found["fast"]["deviation_fraction"] == pytest.approx(8**0.5 / 6)
    assert found["kind"]["kept_fraction"] == 0.5
    assert found["kind"]["mean"] is None
    assert stability([], ["fast"])["fast"]["kept_fraction"] is None
