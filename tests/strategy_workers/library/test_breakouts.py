"""Strategies that buy strength: Bollinger, MACD, Turtle, opening range, confirmed crossover."""

from pathlib import Path

import pytest

from strategy_workers.backtests.errors import StrategyRaisedError
from strategy_workers.library.bollinger_breakout import BollingerBreakout
from strategy_workers.library.macd_trend import MacdTrend
from strategy_workers.library.opening_range import OpeningRange
from strategy_workers.library.sma_crossover import SmaCrossover
from strategy_workers.library.turtle import Turtle
from strategy_workers.sdk import InvalidParametersError
from tests.strategy_workers.library.market import play

_CALM = [100.0, 101.0] * 10


def test_bollinger_buys_a_close_above_the_band_and_sells_below_the_middle(tmp_path: Path) -> None:
    market = [*_CALM, 100.0, 104.0, 106.0, 107.0, 100.0, 100.0]
    played = play(tmp_path, BollingerBreakout, market, period=10)
    assert played.fills == [(22, "buy", 91.0, 104.0), (25, "sell", 91.0, 100.0)]


def test_bollinger_ignores_what_stays_within_the_bands(tmp_path: Path) -> None:
    assert play(tmp_path, BollingerBreakout, _CALM * 3, period=10).fills == []


#: The MACD line crosses its signal upwards below zero in the recovery, and falls below it later.
_VALLEY = [
    *(200.0 - n for n in range(30)),
    *(170.0 + 2 * n for n in range(30)),
    *(228.0 - 2 * n for n in range(20)),
]


def test_macd_buys_where_the_line_crosses_above_the_signal_and_sells_below_it(
    tmp_path: Path,
) -> None:
    played = play(tmp_path, MacdTrend, _VALLEY, fast=3, slow=6, signal=3)
    assert [turn[1] for turn in played.turns] == ["buy", "sell"]
    bought, sold = (turn[0] for turn in played.turns)
    # After the valley, and after the peak.
    assert 30 < bought <= 34
    assert 60 < sold <= 64


def test_macd_above_zero_does_not_buy_a_crossing_in_the_fall(tmp_path: Path) -> None:
    played = play(tmp_path, MacdTrend, _VALLEY, fast=3, slow=6, signal=3, above_zero=True)
    assert played.fills == []


def test_macd_needs_a_fast_average_below_the_slow_one() -> None:
    with pytest.raises(InvalidParametersError, match=r"fast: must be below slow \(26\)"):
        MacdTrend.parse_parameters({"fast": 26})


#: N comes to 1 and the channel's high to 101.
_TURTLE = {"entry": 10, "exit": 5, "atr": 5}


def test_turtle_buys_a_unit_that_loses_the_risk_at_its_stop(tmp_path: Path) -> None:
    market = [*_CALM, 102.0, 101.5, 101.0, 100.5, 100.0, 100.0]
    played = play(tmp_path, Turtle, market, **{**_TURTLE, "exit": 10})
    [bought, stopped] = played.outcome.executions
    assert (bought.price, bought.qty) == (102, 50)
    # One percent of 10,000.
    assert (bought.price - stopped.price) * bought.qty == 100


def test_turtle_adds_units_as_the_price_rises_up_to_the_most(tmp_path: Path) -> None:
    market = [*_CALM, *(102.0 + n for n in range(10))]
    played = play(tmp_path, Turtle, market, **_TURTLE, risk="0.2", units=3)
    assert played.turns == [(21, "buy"), (22, "buy"), (23, "buy")]


def test_turtle_never_invests_more_than_its_allocation(tmp_path: Path) -> None:
    market = [*_CALM, *(102.0 + n for n in range(10))]
    played = play(tmp_path, Turtle, market, **_TURTLE, risk=20, units=10, allocation=50)
    assert sum(one.qty * one.price for one in played.outcome.executions) <= 5100


def test_turtle_sells_all_below_the_exit_channel_and_takes_its_stop_along(tmp_path: Path) -> None:
    market = [*_CALM, 102.0, *([104.0] * 6), 103.5, 103.0, 103.0]
    played = play(tmp_path, Turtle, market, **_TURTLE, units=1, stop=10)
    assert played.turns == [(21, "buy"), (28, "sell")]
    assert not played.outcome.positions
    # The stop that was cancelled and the sale: nothing was refused or sold twice.
    assert (played.outcome.orders, played.outcome.rejected, played.outcome.refused) == (3, 0, 0)


def test_turtle_exits_sooner_than_it_enters() -> None:
    with pytest.raises(InvalidParametersError, match=r"exit: must not be above entry \(20\)"):
        Turtle.parse_parameters({"exit": 21})


#: A range from 0:10 to 0:15 UTC with a high of 102, and flat by 0:30.
_HOURS = {"zone": "UTC", "opens": 10, "span": 5, "closes": 30}
_BEFORE = [*([100.0] * 10), 100.0, 102.0, 101.0, 100.0, 101.0]


def test_opening_range_buys_its_break_once_and_is_flat_by_the_close(tmp_path: Path) -> None:
    market = [*_BEFORE, 101.0, 103.0, *([104.0] * 20)]
    played = play(tmp_path, OpeningRange, market, **_HOURS)
    assert played.fills == [(17, "buy", 92.0, 103.0), (30, "sell", 92.0, 104.0)]


def test_opening_range_is_stopped_at_the_low_and_does_not_try_again(tmp_path: Path) -> None:
    market = [*_BEFORE, 103.0, 99.0, 103.0, 104.0, *([104.0] * 20)]
    played = play(tmp_path, OpeningRange, market, **_HOURS)
    assert played.turns == [(16, "buy"), (17, "sell")]


def test_opening_range_has_no_trade_without_a_break_or_without_a_range(tmp_path: Path) -> None:
    assert play(tmp_path, OpeningRange, [*_BEFORE, *([102.0] * 30)], **_HOURS).fills == []
    late = {**_HOURS, "opens": 600, "closes": 700}
    assert play(tmp_path, OpeningRange, [*_BEFORE, *([110.0] * 30)], **late).fills == []


def test_opening_range_begins_anew_each_day(tmp_path: Path) -> None:
    day = [*_BEFORE, 101.0, 103.0, *([104.0] * 1423)]
    played = play(tmp_path, OpeningRange, [*day, *day], **_HOURS)
    assert played.turns == [(17, "buy"), (30, "sell"), (1457, "buy"), (1470, "sell")]


def test_opening_range_must_end_before_the_close() -> None:
    with pytest.raises(InvalidParametersError, match=r"closes: must be above opens \+ span"):
        OpeningRange.parse_parameters({"opens": 900, "span": 60})


_CROSSES = [*([100.0] * 30), 101.0, 102.0, 103.0, 104.0, 104.0, 104.0]


@pytest.mark.parametrize(("before", "buys"), [(90.0, 1), (120.0, 0)])
def test_a_confirmed_crossover_buys_only_above_the_average_of_the_larger_timeframe(
    tmp_path: Path, before: float, buys: int
) -> None:
    market = [*([before] * 30), *_CROSSES]
    played = play(
        tmp_path, SmaCrossover, market,
        fast=2, slow=4, confirmation="15m", confirmation_period=3,
    )  # fmt: skip
    crossed = [turn for turn in played.turns if turn[1] == "buy" and turn[0] > 60]
    assert len(crossed) == buys


def test_without_confirmation_both_markets_are_bought(tmp_path: Path) -> None:
    played = play(tmp_path, SmaCrossover, [*([120.0] * 30), *_CROSSES], fast=2, slow=4)
    assert [turn for turn in played.turns if turn[0] > 60] == [(61, "buy")]


def test_a_confirmation_that_is_not_larger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StrategyRaisedError, match=r"the confirmation \(1m\) must be above 1m"):
        play(tmp_path, SmaCrossover, _CROSSES, confirmation="1m")
