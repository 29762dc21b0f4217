"""Sortino ratio: mean of the returns over their downside deviation, annualised.

Of daily returns as in `sharpe.py`, with a target of zero. The downside deviation is the root of
the mean of the squared losses, over all days.
https://en.wikipedia.org/wiki/Sortino_ratio
"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from shared.metrics.executions import Point
from shared.metrics.sharpe import PERIODS_A_YEAR, daily_returns


def sortino(curve: Sequence[Point]) -> float | None:
    """None with fewer than two returns, and as long as there is no losing day."""
    returns = daily_returns(curve)
    if len(returns) < 2:
        return None
    downside = sqrt(fmean(min(one, 0.0) ** 2 for one in returns))
    if downside <= 1e-12:
        return None
    return fmean(returns) / downside * sqrt(PERIODS_A_YEAR)
