"""The path that prices are taken to have gone within a candle.

Open, then the extreme that is nearer to it, then the other one, then the close; when both are as
near, the low first. The open is printed at the candle's start, the extremes a third and two
thirds into it, the close in its last microsecond. A quarter of the volume is traded at each.
"""

from collections.abc import Iterator

_MICROSECOND_NS = 1000
#: On the path of each candle.
PRINTS = 4


def path(
    start_ns: int, end_ns: int, open_: float, high: float, low: float, close: float
) -> Iterator[tuple[int, float]]:
    third_ns = (end_ns - start_ns) // 3
    near, far = (high, low) if high - open_ < open_ - low else (low, high)
    yield start_ns, open_
    yield start_ns + third_ns, near
    yield start_ns + 2 * third_ns, far
    yield end_ns - _MICROSECOND_NS, close
