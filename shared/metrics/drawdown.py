"""Drawdown: how far and for how long equity was below its highest value so far.

https://en.wikipedia.org/wiki/Drawdown_(economics)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.metrics.executions import Point
from shared.trading.amounts import ZERO

_US = 1_000_000


@dataclass(frozen=True)
class Drawdown:
    #: Largest fall below a peak, in money.
    amount: Decimal
    #: Largest fall as a fraction of its peak; it need not be the same fall. At most 1 unless
    #: equity falls below zero.
    fraction: float
    #: Longest time from a peak until equity was there again, or until the end of the curve.
    duration_s: float


def max_drawdown(curve: Sequence[Point]) -> Drawdown | None:
    """None for an empty curve; zeros for one that never falls.

    Where a period was replayed again, its time counts again.
    """
    if not curve:
        return None
    peak = curve[0].equity
    amount, fraction = ZERO, ZERO
    below_us = longest_us = 0
    before_us = curve[0].at_us
    for at_us, equity in curve:
        elapsed_us = max(0, at_us - before_us)
        before_us = at_us
        if equity >= peak:
            if below_us:  # this is where it came back to its peak
                longest_us = max(longest_us, below_us + elapsed_us)
            peak, below_us = equity, 0
            continue
        below_us += elapsed_us
        longest_us = max(longest_us, below_us)
        fall = peak - equity
        amount = max(amount, fall)
        if peak > 0:
            fraction = max(fraction, fall / peak)
    return Drawdown(amount, float(fraction), longest_us / _US)
