"""Paid-in money changes no return: tables against values worked out by hand."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.metrics.equity_curve import Worth, worth
from shared.metrics.executions import CashMove, Fill, Point
from shared.metrics.time_weighted import profit_curve, unit_curve

D = Decimal
SPY_10 = Fill("SPY", D(10), D(100), D(0), D(0), 1)


def curve(*points: tuple[int, int]) -> list[Worth]:
    return [Worth(n, D(equity), D(paid_in)) for n, (equity, paid_in) in enumerate(points)]


@pytest.mark.parametrize(
    ("points", "units"),
    [
        ([], []),
        ([(100, 100), (110, 100), (99, 100)], [100, 110, 99]),
        # A deposit of 100 at 110, then both lose a tenth.
        ([(100, 100), (110, 100), (210, 200), (189, 200)], [100, 110, 110, 99]),
        # A withdrawal of half.
        ([(100, 100), (50, 50), (55, 50)], [100, 100, 110]),
        # All is taken out, and later something else is paid in.
        ([(100, 100), (110, 100), (0, -10), (0, -10), (20, 10), (22, 10)],
         [100, 110, 110, 110, 110, 121]),
        # Without capital there is nothing to grow.
        ([(0, 0), (0, 0)], [0, 0]),
    ],
)  # fmt: skip
def test_units_grow_as_money_that_was_left_alone(
    points: list[tuple[int, int]], units: list[int]
) -> None:
    assert [point.equity for point in unit_curve(curve(*points))] == units


def test_profits_are_what_flows_did_not_bring() -> None:
    told = curve((100, 100), (110, 100), (210, 200), (189, 200))
    assert [point.equity for point in profit_curve(told)] == [100, 110, 110, 89]


def test_cash_moves_take_their_place_among_fills_and_closes() -> None:
    movements = [SPY_10, CashMove(D(500), 3, True), CashMove(D(7), 5, False)]
    closes = {"SPY": [(2, 101.0), (4, 103.0), (6, 102.0)]}
    assert worth(D(2000), movements, closes) == [
        Worth(1, D(2000), D(2000)),
        Worth(2, D(2010), D(2000)),
        Worth(3, D(2510), D(2500)),
        Worth(4, D(2530), D(2500)),
        Worth(5, D(2537), D(2500)),
        Worth(6, D(2527), D(2500)),
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
def test_without_flows_the_units_are_the_curve_itself(cents: list[int]) -> None:
    told = [Worth(n, D(value) / 100, D(cents[0]) / 100) for n, value in enumerate(cents)]
    assert unit_curve(told) == profit_curve(told) == [Point(one.at_us, one.equity) for one in told]
