"""Returns that money paid in or taken out doesn't change: time-weighted, as for a fund's unit.

https://en.wikipedia.org/wiki/Time-weighted_return
"""

from collections.abc import Sequence
from itertools import pairwise

from shared.metrics.equity_curve import Worth
from shared.metrics.executions import Point
from shared.trading.amounts import exactly


@exactly
def unit_curve(curve: Sequence[Worth]) -> list[Point]:
    """What the capital at the beginning would have become, had it been left alone.

    The curve itself when nothing was paid in or taken out. After a moment without equity the
    level stays where it is until something is paid in.
    """
    if not curve:
        return []
    points = [Point(curve[0].at_us, curve[0].equity)]
    # What the units were worth, and one in proportion, when their number changed last.
    base = unit = curve[0].equity
    for before, now in pairwise(curve):
        flow = now.paid_in - before.paid_in
        value = unit * (now.equity - flow) / base if base > 0 else unit
        points.append(Point(now.at_us, value))
        if flow:
            base, unit = now.equity, value
    return points


@exactly
def profit_curve(curve: Sequence[Worth]) -> list[Point]:
    """The capital at the beginning with all profits and losses since, and nothing else."""
    if not curve:
        return []
    capital = curve[0].equity
    return [Point(at_us, capital + equity - paid_in) for at_us, equity, paid_in in curve]
