"""Strategies that follow a plan: buy and hold, cost averaging, grid, momentum rotation."""

from pathlib import Path

import pytest

from strategy_workers.library.buy_and_hold import BuyAndHold
from strategy_workers.library.dca import CostAveraging
from strategy_workers.library.grid import Grid
from strategy_workers.library.momentum_rotation import MomentumRotation
from strategy_workers.sdk import InvalidParametersError
from tests.strategy_workers.library.market import play


def test_buy_and_hold_buys_each_symbol_once_and_keeps_it(tmp_path: Path) -> None:
    markets = {"AAA": [100.0, 90.0, 50.0, 200.0], "BBB": [10.0] * 4}
    played = play(tmp_path, BuyAndHold, markets)
    assert played.fills == [("AAA", 1, "buy", 47.0, 100.0), ("BBB", 1, "buy", 475.0, 10.0)]


def test_cost_averaging_buys_for_the_same_money_at_regular_times(tmp_path: Path) -> None:
    market = [100.0] * 8 + [50.0] * 8 + [100.0] * 3
    played = play(tmp_path, CostAveraging, market, daily=True, amount=1000)
    assert played.fills == [
        (1, "buy", 10.0, 100.0),
        (8, "buy", 10.0, 100.0),
        (15, "buy", 20.0, 50.0),
    ]


def test_cost_averaging_saves_what_is_too_little_for_a_lot(tmp_path: Path) -> None:
    played = play(tmp_path, CostAveraging, [100.0] * 40, daily=True, amount=60)
    # 60 saved, then 120: one is bought, and 20 are left for the third time, 80, and so on.
    assert played.fills == [
        (8, "buy", 1.0, 100.0),
        (22, "buy", 1.0, 100.0),
        (29, "buy", 1.0, 100.0),
    ]


def test_cost_averaging_ends_with_the_cash(tmp_path: Path) -> None:
    played = play(tmp_path, CostAveraging, [100.0] * 30, daily=True, amount=6000)
    assert [fill[2] for fill in played.fills] == [60.0, 39.0]
    assert played.outcome.rejected == 0


_GRID = {"levels": 2, "step": 10}


def test_grid_buys_each_step_down_and_sells_it_one_step_higher(tmp_path: Path) -> None:
    played = play(tmp_path, Grid, [100.0, 95.0, 85.0, 79.0, 95.0, 101.0, 101.0], **_GRID)
    # Half of 9,500 each: 52 at 90 and 59 at 80, sold at 100 and 90.
    assert played.fills == [
        (2, "buy", 52.0, 90.0),
        (3, "buy", 59.0, 80.0),
        (4, "sell", 59.0, 90.0),
        (5, "sell", 52.0, 100.0),
    ]


def test_grid_buys_a_step_again_after_it_was_sold(tmp_path: Path) -> None:
    played = play(tmp_path, Grid, [100.0, 89.0, 100.0, 100.0, 89.0, 100.0, 100.0], **_GRID)
    assert played.turns == [(1, "buy"), (2, "sell"), (4, "buy"), (5, "sell")]


def test_grid_follows_a_rising_price_while_it_holds_nothing(tmp_path: Path) -> None:
    played = play(tmp_path, Grid, [100.0, 111.0, 111.0, 99.0, 99.0], **_GRID)
    # From 111: the first step is at 99.90.
    assert played.fills == [(3, "buy", 47.0, 99.9)]


def test_grid_only_waits_below_its_lowest_step(tmp_path: Path) -> None:
    played = play(tmp_path, Grid, [100.0, 70.0, 50.0, 30.0, 30.0], **_GRID)
    assert [fill[1] for fill in played.fills] == ["buy", "buy"]


def test_grid_steps_stay_above_zero() -> None:
    with pytest.raises(InvalidParametersError, match="levels: times step must be below 100"):
        Grid.parse_parameters({"levels": 10, "step": 10})


def test_rotation_holds_the_strongest_and_sells_it_before_it_buys_the_next(tmp_path: Path) -> None:
    markets = {
        "AAA": [*(100.0 + n for n in range(8)), *([107.0] * 9)],
        "BBB": [100.0] * 17,
        "CCC": [*([100.0] * 8), *(100.0 + 5 * n for n in range(9))],
    }
    played = play(tmp_path, MomentumRotation, markets, daily=True, lookback=3, days=7)
    # The first choice waits until the rises are known; then it is made each seven days.
    assert played.fills == [
        ("AAA", 4, "buy", 92.0, 103.0),
        ("AAA", 15, "sell", 92.0, 107.0),
        ("CCC", 16, "buy", 72.0, 135.0),
    ]


def test_rotation_holds_nothing_when_all_have_fallen(tmp_path: Path) -> None:
    falling = {name: [100.0 - n for n in range(40)] for name in ("AAA", "BBB")}
    assert play(tmp_path, MomentumRotation, falling, daily=True, lookback=5).fills == []
