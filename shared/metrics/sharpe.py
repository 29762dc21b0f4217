"""Sharpe ratio: mean of the returns over their standard deviation, annualised.

Here of daily returns (close of each UTC day that has one, the first against the capital), with
a risk-free rate of zero, the sample standard deviation, and 252 trading days a year.
https://en.wikipedia.org/wiki/Sharpe_ratio
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from math import sqrt
from statistics import fmean, stdev

from shared.metrics.executions import Point

PERIODS_A_YEAR = 252
BASIS = "daily returns, risk-free rate 0, annualised over 252 trading days"
_DAY_US = 86_400_000_000


def daily_returns(curve: Sequence[Point]) -> list[float]:
    """Fractions. A day after one that ended at or below zero has none."""
    if not curve:
        return []
    closes = [
        list(day)[-1].equity for _, day in groupby(curve, lambda point: point.at_us // _DAY_US)
    ]
    values = [curve[0].equity, *closes]
    return [float(after / before) - 1 for before, after in pairwise(values) if before > 0]


def sharpe(curve: Sequence[Point]) -> float | None:
    """None with fewer than two returns, and when they don't vary."""
    returns = daily_returns(curve)
    if len(returns) < 2:
        return None
    deviation = stdev(returns)
    # Equal returns differ in their last bits: that is no risk.
    if deviation <= 1e-12:
        return None
    return fmean(returns) / deviation * sqrt(PERIODS_A_YEAR)
