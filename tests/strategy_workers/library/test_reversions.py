"""Strategies that buy weakness: RSI reversion, VWAP reversion, pairs."""

from pathlib import Path

import pytest

from strategy_workers.backtests.errors import StrategyRaisedError
from strategy_workers.library.pairs import Pairs
from strategy_workers.library.rsi_reversion import RsiReversion
from strategy_workers.library.vwap_reversion import VwapReversion
from strategy_workers.sdk import InvalidParametersError
from tests.strategy_workers.library.market import play

#: Gains and losses of one alternate: the index is near 50.
_CALM = [100.0, 101.0] * 5


def test_rsi_buys_when_the_index_falls_below_oversold_and_sells_when_it_has_recovered(
    tmp_path: Path,
) -> None:
    market = [*_CALM, 97.0, 96.0, 97.0, 101.0, 101.0]
    played = play(tmp_path, RsiReversion, market, period=3)
    # 9,500 at the fall to 97; the index is back at 71 with the rise to 101.
    assert played.fills == [(11, "buy", 97.0, 97.0), (14, "sell", 97.0, 101.0)]


def test_rsi_gives_up_when_its_patience_is_over(tmp_path: Path) -> None:
    market = [*_CALM, *(97.0 - n for n in range(8))]
    played = play(tmp_path, RsiReversion, market, period=3, patience=4)
    assert played.fills == [(11, "buy", 97.0, 97.0), (15, "sell", 97.0, 93.0)]


def test_rsi_never_buys_a_market_that_only_rises(tmp_path: Path) -> None:
    assert play(tmp_path, RsiReversion, [100.0 + n for n in range(60)]).fills == []


def test_rsi_must_recover_above_oversold() -> None:
    with pytest.raises(InvalidParametersError, match=r"recovered: must be above oversold \(40\)"):
        RsiReversion.parse_parameters({"oversold": 40, "recovered": 40})


#: True ranges are 1; the average price of the day is about 100.5.
_DAY = [100.0, 101.0] * 20


def test_vwap_reversion_buys_far_below_the_average_and_sells_back_at_it(tmp_path: Path) -> None:
    played = play(tmp_path, VwapReversion, [*_DAY, 95.0, 96.0, 98.0, 101.0, 101.0])
    assert played.fills == [(41, "buy", 100.0, 95.0), (44, "sell", 100.0, 101.0)]


def test_vwap_reversion_is_stopped_out_once_and_waits_for_the_average(tmp_path: Path) -> None:
    falling, back = [95.0, 93.0, 90.0, 85.0, 80.0, 75.0], [101.0, 100.0] * 15
    played = play(tmp_path, VwapReversion, [*_DAY, *falling, *back, 90.0, 90.0])
    # The range is 1.4 when it buys at 95, so the stop is at 90.9.
    assert played.turns == [(41, "buy"), (42, "sell"), (77, "buy")]
    [bought, stopped, _] = played.outcome.executions
    assert stopped.price < bought.price


def test_vwap_reversion_leaves_a_steady_market_alone(tmp_path: Path) -> None:
    assert play(tmp_path, VwapReversion, _DAY).fills == []


_FIRST = [100.0, 101.0] * 10


def test_pairs_buys_the_one_that_has_fallen_behind_until_the_ratio_is_usual(
    tmp_path: Path,
) -> None:
    steady = [50.0] * 26
    markets = {"AAA": [*_FIRST, 100.0, 95.0, 95.0, 100.0, 100.0, 100.0], "BBB": steady}
    played = play(tmp_path, Pairs, markets, period=20)
    # Half of 95 % of 10,000 at 95.
    assert played.fills == [("AAA", 22, "buy", 50.0, 95.0), ("AAA", 24, "sell", 50.0, 100.0)]


def test_pairs_buys_the_other_one_when_the_first_runs_away(tmp_path: Path) -> None:
    markets = {"AAA": [*_FIRST, 100.0, 110.0, 110.0, 110.0], "BBB": [50.0] * 24}
    assert play(tmp_path, Pairs, markets, period=20).turns == [("BBB", 22, "buy")]


def test_pairs_that_move_together_are_left_alone(tmp_path: Path) -> None:
    rise = [100.0 + n for n in range(60)]
    markets = {"AAA": rise, "BBB": [2 * price for price in rise]}
    assert play(tmp_path, Pairs, markets).fills == []


def test_pairs_takes_two_symbols_and_no_other_number(tmp_path: Path) -> None:
    with pytest.raises(StrategyRaisedError, match="pairs needs two symbols, not 1"):
        play(tmp_path, Pairs, _FIRST)
    with pytest.raises(InvalidParametersError, match=r"exit_at: must be below enter_at \(2\)"):
        Pairs.parse_parameters({"exit_at": 2})
