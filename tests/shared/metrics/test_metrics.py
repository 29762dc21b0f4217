"""Examples worked out by hand, and properties that hold for any account."""

from collections.abc import Sequence
from decimal import Decimal
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.metrics.annual_return import YEAR_S, annual_return_fraction
from shared.metrics.calmar import calmar
from shared.metrics.downsample import downsampled
from shared.metrics.drawdown import max_drawdown
from shared.metrics.equity_curve import equity_curve
from shared.metrics.executions import Fill, Point
from shared.metrics.expectancy import expectancy
from shared.metrics.profit_factor import profit_factor
from shared.metrics.sharpe import daily_returns, sharpe
from shared.metrics.sortino import sortino
from shared.metrics.total_return import total_return_fraction
from shared.metrics.trades import Trade, round_trips
from shared.metrics.win_rate import win_rate

SECOND, MINUTE, DAY = 1_000_000, 60_000_000, 86_400_000_000
D = Decimal


def fill(
    qty: str, price: str, at_us: int, fee: str = "0", pnl: str = "0", symbol: str = "SPY"
) -> Fill:
    return Fill(symbol, D(qty), D(price), D(fee), D(pnl), at_us)


def curve_of(*equities: str, step_us: int = MINUTE) -> list[Point]:
    return [Point(n * step_us, D(equity)) for n, equity in enumerate(equities)]


# --- equity curve -----------------------------------------------------------------------------


def test_equity_is_cash_plus_positions_at_each_close() -> None:
    fills = [fill("10", "100", 30 * SECOND, fee="1"), fill("-10", "103", 150 * SECOND, fee="1")]
    closes = {"SPY": [(MINUTE, 101.0), (2 * MINUTE, 99.0), (3 * MINUTE, 104.0)]}
    assert equity_curve(D(10_000), fills, closes) == [
        Point(30 * SECOND, D(10_000)),
        Point(MINUTE, D(10_009)),  # 8,999 cash + 10 at 101
        Point(2 * MINUTE, D(9_989)),  # 8,999 cash + 10 at 99
        Point(3 * MINUTE, D(10_028)),  # flat: 8,999 + 1,030 - 1
    ]


def test_symbols_are_marked_together_at_one_moment() -> None:
    fills = [fill("1", "10", 0), fill("2", "20", 0, symbol="IBM")]
    closes = {"SPY": [(MINUTE, 11.0)], "IBM": [(MINUTE, 21.0), (2 * MINUTE, 22.0)]}
    assert equity_curve(D(100), fills, closes) == [
        Point(0, D(100)),
        Point(MINUTE, D(103)),
        Point(2 * MINUTE, D(105)),
    ]


def test_a_symbol_without_candles_is_marked_at_its_executions() -> None:
    fills = [fill("1", "10", 0), fill("1", "12", MINUTE), fill("-2", "9", 2 * MINUTE)]
    assert equity_curve(D(100), fills, {}) == [
        Point(0, D(100)),
        Point(0, D(100)),
        Point(MINUTE, D(102)),
        Point(2 * MINUTE, D(96)),
    ]


def test_an_execution_at_the_end_of_a_candle_comes_after_its_close() -> None:
    fills = [fill("1", "10", 0), fill("-1", "15", MINUTE)]
    closes = {"SPY": [(MINUTE, 12.0), (2 * MINUTE, 13.0)]}
    assert equity_curve(D(100), fills, closes) == [
        Point(0, D(100)),
        Point(MINUTE, D(102)),
        Point(2 * MINUTE, D(105)),
    ]


def test_an_account_that_replays_a_period_twice_has_it_twice_in_its_curve() -> None:
    fills = [
        fill("1", "10", 0),
        fill("-1", "12", 90 * SECOND, pnl="2"),
        fill("1", "10", 0),
        fill("-1", "12", 90 * SECOND, pnl="2"),
    ]
    closes = {"SPY": [(MINUTE, 11.0), (2 * MINUTE, 12.0)]}
    assert equity_curve(D(100), fills, closes) == [
        Point(0, D(100)),
        Point(MINUTE, D(101)),
        Point(90 * SECOND, D(102)),
        Point(MINUTE, D(103)),
        Point(2 * MINUTE, D(104)),
    ]


def test_without_executions_there_is_no_curve() -> None:
    assert equity_curve(D(100), [], {"SPY": [(MINUTE, 1.0)]}) == []


# --- total return -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capital", "equity", "fraction"),
    [("100", "110", 0.1), ("100", "75", -0.25), ("100", "100", 0.0), ("0", "5", None)],
)
def test_total_return(capital: str, equity: str, fraction: float | None) -> None:
    assert total_return_fraction(D(capital), D(equity)) == fraction


# --- drawdown ---------------------------------------------------------------------------------


def test_the_deepest_and_the_longest_drawdown_need_not_be_the_same() -> None:
    found = max_drawdown(curve_of("100", "80", "100", "200", "190", "185", "190", "199", "200"))
    assert found is not None
    assert found.amount == D(20)
    assert found.fraction == 0.2  # 100 → 80
    assert found.duration_s == 5 * 60  # 200 → 200


def test_a_drawdown_that_has_not_recovered_lasts_until_the_end() -> None:
    found = max_drawdown(curve_of("100", "120", "90", "110"))
    assert found is not None
    assert (found.amount, found.fraction, found.duration_s) == (D(30), 0.25, 120)


def test_the_largest_fall_in_money_may_be_another_than_the_largest_fraction() -> None:
    found = max_drawdown(curve_of("10", "5", "1000", "900"))
    assert found is not None
    assert (found.amount, found.fraction) == (D(100), 0.5)


def test_a_curve_that_only_rises_has_no_drawdown_and_an_empty_one_none_at_all() -> None:
    rising = max_drawdown(curve_of("1", "2", "2", "3"))
    assert rising is not None
    assert (rising.amount, rising.fraction, rising.duration_s) == (D(0), 0.0, 0.0)
    assert max_drawdown([]) is None


# --- sharpe -----------------------------------------------------------------------------------


def test_sharpe_of_three_days() -> None:
    # +10 %, -10 %, +20 %: mean 0.0666…, sample deviation 0.15275…
    curve = [
        Point(0, D(100)),
        Point(DAY - 1, D(110)),
        Point(DAY, D(500)),  # within the day: only its last point counts
        Point(2 * DAY - 1, D(99)),
        Point(3 * DAY - 1, D("118.8")),
    ]
    assert daily_returns(curve) == pytest.approx([0.1, -0.1, 0.2])
    mean, deviation = (
        0.2 / 3,
        sqrt(((0.1 - 0.2 / 3) ** 2 + (0.1 + 0.2 / 3) ** 2 + (0.4 / 3) ** 2) / 2),
    )
    assert sharpe(curve) == pytest.approx(mean / deviation * sqrt(252))
    assert sharpe(curve) == pytest.approx(6.928, abs=1e-3)


@pytest.mark.parametrize(
    "equities", [(), ("100",), ("100", "100"), ("100", "100", "100", "100"), ("0", "0", "0")]
)
def test_sharpe_is_undefined_without_two_returns_that_differ(equities: tuple[str, ...]) -> None:
    assert sharpe(curve_of(*equities, step_us=DAY)) is None


def test_equal_returns_are_no_risk() -> None:
    assert sharpe(curve_of("100", "100", "110", "121", "133.1", step_us=DAY)[1:]) is not None
    assert sharpe([Point(0, D(100)), Point(1, D(110)), Point(DAY, D(121))]) is None


# --- trades, win rate, profit factor ----------------------------------------------------------


def test_a_trade_is_everything_from_flat_to_flat_with_all_its_fees() -> None:
    fills = [
        fill("10", "100", 1, fee="1"),
        fill("5", "130", 2, fee="1"),
        fill("-9", "120", 3, fee="1", pnl="90"),
        fill("-6", "100", 4, fee="1", pnl="-60"),
        fill("1", "50", 5, fee="1"),
    ]
    assert round_trips(fills) == [Trade("SPY", 1, 4, D(26))]  # 90 - 60 - 4; the last is open


def test_trades_of_several_symbols_are_kept_apart() -> None:
    fills = [
        fill("1", "10", 1),
        fill("1", "10", 2, symbol="IBM"),
        fill("-1", "9", 3, pnl="-1"),
        fill("-1", "12", 4, pnl="2", symbol="IBM"),
    ]
    assert [(trade.symbol, trade.profit) for trade in round_trips(fills)] == [
        ("SPY", D(-1)),
        ("IBM", D(2)),
    ]


def test_a_fill_through_zero_ends_one_trade_and_begins_the_next() -> None:
    fills = [
        fill("10", "100", 1, fee="1"),
        fill("-15", "110", 2, fee="3", pnl="100"),
        fill("5", "100", 3, fee="1", pnl="50"),
    ]
    assert round_trips(fills) == [
        Trade("SPY", 1, 2, D(97)),  # 100 - 1 - two thirds of 3
        Trade("SPY", 2, 3, D(48)),  # 50 - a third of 3 - 1
    ]


def trades_of(*profits: str) -> list[Trade]:
    return [Trade("SPY", 0, 1, D(profit)) for profit in profits]


@pytest.mark.parametrize(
    ("profits", "rate", "factor"),
    [
        ((), None, None),
        (("5",), 1.0, None),
        (("-5",), 0.0, 0.0),
        (("0",), 0.0, None),
        (("30", "-10", "-5", "0"), 0.25, 2.0),
    ],
)
def test_win_rate_and_profit_factor(
    profits: Sequence[str], rate: float | None, factor: float | None
) -> None:
    assert win_rate(trades_of(*profits)) == rate
    assert profit_factor(trades_of(*profits)) == factor


def test_expectancy_is_the_mean_profit() -> None:
    assert expectancy(trades_of("30", "-10", "-5", "1")) == D(4)
    assert expectancy([]) is None


# --- annual return, Sortino, Calmar -----------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "years", "annual"),
    [
        (0.21, 2, 0.1),
        (0.1, 1, 0.1),
        (-1.0, 3, -1.0),
        (-1.5, 3, -1.0),
        (0.1, 0, None),
        (None, 1, None),
        (1.0, 1e-9, None),
    ],
)
def test_annual_return_compounds_to_the_total(
    total: float | None, years: float, annual: float | None
) -> None:
    found = annual_return_fraction(total, years * YEAR_S)
    assert found is None if annual is None else found == pytest.approx(annual)


def test_sortino_of_three_days() -> None:
    # +10 %, -10 %, +20 %: mean 0.0666…, downside deviation sqrt(0.01 / 3)
    curve = [
        Point(0, D(100)),
        Point(DAY - 1, D(110)),
        Point(2 * DAY - 1, D(99)),
        Point(3 * DAY - 1, D("118.8")),
    ]
    assert sortino(curve) == pytest.approx(0.2 / 3 / sqrt(0.01 / 3) * sqrt(252))


def test_sortino_is_undefined_without_a_losing_day() -> None:
    assert sortino(curve_of("100", "100", "101", "102", step_us=DAY)) is None
    assert sortino([]) is None


@pytest.mark.parametrize(
    ("annual", "drawdown", "ratio"),
    [(0.2, 0.1, 2.0), (-0.1, 0.2, -0.5), (0.2, 0.0, None), (None, 0.1, None), (0.2, None, None)],
)
def test_calmar(annual: float | None, drawdown: float | None, ratio: float | None) -> None:
    assert calmar(annual, drawdown) == ratio


# --- any account ------------------------------------------------------------------------------

amounts = st.decimals(min_value="0.01", max_value="1000", places=2)
equities = st.lists(st.decimals(min_value="1", max_value="1000000", places=2), min_size=1)


@st.composite
def histories(draw: st.DrawFn) -> list[Fill]:
    """Fills of a long-only account, with the realised profit that its average prices give."""
    fills: list[Fill] = []
    qty: dict[str, Decimal] = {}
    cost: dict[str, Decimal] = {}
    for number in range(draw(st.integers(0, 30))):
        symbol = draw(st.sampled_from(["A", "B"]))
        held = qty.get(symbol, D(0))
        price, fee = draw(amounts), draw(amounts)
        if held and draw(st.booleans()):
            share = draw(st.sampled_from([D(1), D("0.5")]))
            sold, part = held * share, cost[symbol] * share
            fills.append(Fill(symbol, -sold, price, fee, sold * price - part, number * SECOND))
            qty[symbol], cost[symbol] = held - sold, cost[symbol] - part
        else:
            bought = D(draw(st.integers(1, 64)))
            fills.append(Fill(symbol, bought, price, fee, D(0), number * SECOND))
            qty[symbol] = held + bought
            cost[symbol] = cost.get(symbol, D(0)) + bought * price
    return fills


@given(histories())
def test_equity_of_a_flat_account_is_capital_and_all_profits_less_all_fees(
    fills: list[Fill],
) -> None:
    held = {fill.symbol: D(0) for fill in fills}
    for one in fills:
        held[one.symbol] += one.qty
    last_us = len(fills) * SECOND
    for symbol, qty in held.items():
        if qty:
            before = [one for one in fills if one.symbol == symbol]
            cost = sum((one.qty * one.price + one.realized_pnl for one in before), D(0))
            fills.append(Fill(symbol, -qty, D(7), D(0), qty * 7 - cost, last_us))
    profit = sum((one.realized_pnl - one.fee for one in fills), D(0))
    trades = round_trips(fills)
    assert sum((trade.profit for trade in trades), D(0)) == profit
    curve = equity_curve(D(5000), fills, {})
    assert (curve[-1].equity if curve else D(5000)) == D(5000) + profit


@given(equities)
def test_a_drawdown_lies_between_nothing_and_everything(values: list[Decimal]) -> None:
    found = max_drawdown([Point(n * MINUTE, value) for n, value in enumerate(values)])
    assert found is not None
    worst = max(
        (high - low for n, high in enumerate(values) for low in values[n:] if high >= low),
        default=D(0),
    )
    assert found.amount == worst
    assert 0 <= found.fraction < 1
    assert 0 <= found.duration_s <= 60 * (len(values) - 1)
    assert (found.amount == 0) == (found.duration_s == 0)


@given(equities, st.integers(2, 40))
def test_a_shorter_curve_keeps_the_ends_and_invents_nothing(
    values: list[Decimal], max_points: int
) -> None:
    curve = [Point(n, value) for n, value in enumerate(values)]
    short = downsampled(curve, max_points)
    assert len(short) <= max_points or len(curve) <= max_points
    assert (short[0], short[-1]) == (curve[0], curve[-1])
    assert short == sorted(set(short)) or len(curve) == 1
    assert set(short) <= set(curve)
    if len(curve) > max_points >= 4:
        assert max(short, key=lambda p: p.equity).equity == max(values)
        assert min(short, key=lambda p: p.equity).equity == min(values)


@given(equities)
def test_scaling_all_money_changes_no_ratio(values: list[Decimal]) -> None:
    curve = [Point(n * DAY, value) for n, value in enumerate(values)]
    doubled = [Point(point.at_us, point.equity * 2) for point in curve]
    one, other = sharpe(curve), sharpe(doubled)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert isclose(one, other, rel_tol=1e-6)
    falls, doubled_falls = max_drawdown(curve), max_drawdown(doubled)
    assert falls is not None
    assert doubled_falls is not None
    assert falls.fraction == doubled_falls.fraction
    assert falls.amount * 2 == doubled_falls.amount
