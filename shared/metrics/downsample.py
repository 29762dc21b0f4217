"""A curve with fewer points that still shows its ends and extremes.

Of each bucket the lowest and the highest point stay, in their order ("min-max decimation").
"""

from collections.abc import Sequence

from shared.metrics.executions import Point


def downsampled(curve: Sequence[Point], max_points: int) -> list[Point]:
    """At most `max_points` (two or more) of the curve's own points, first and last included."""
    if len(curve) <= max_points:
        return list(curve)
    inner = curve[1:-1]
    buckets = (max_points - 2) // 2
    kept: list[Point] = [curve[0]]
    for bucket in range(buckets):
        part = range(len(inner) * bucket // buckets, len(inner) * (bucket + 1) // buckets)
        low = min(part, key=lambda n: inner[n].equity)
        high = max(part, key=lambda n: inner[n].equity)
        kept.extend(inner[n] for n in sorted({low, high}))
    kept.append(curve[-1])
    return kept
