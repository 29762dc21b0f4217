"""The windows of a walk-forward: parameters are chosen in one, and used in the days after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.plan import TimeRange

_MOST_WINDOWS = 1000


@dataclass(frozen=True)
class Window:
    number: int
    in_sample: TimeRange
    out_of_sample: TimeRange

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "in_sample": str(self.in_sample),
            "out_of_sample": str(self.out_of_sample),
        }


def walk_windows(
    days: Sequence[date], in_sample_days: int, out_of_sample_days: int, *, anchored: bool
) -> list[Window]:
    """Over days that have data, ascending. Each day after the first in-sample window is out of
    sample once; the last window may be short. `anchored`: all begin with the first day.

    Raises BadBacktestError.
    """
    if len(days) <= in_sample_days:
        raise BadBacktestError(
            f"the data has {len(days)} days, and {in_sample_days} in sample leave none to walk into"
        )
    starts = range(in_sample_days, len(days), out_of_sample_days)
    if len(starts) > _MOST_WINDOWS:
        raise BadBacktestError(f"{len(starts)} windows are more than {_MOST_WINDOWS}")
    return [
        Window(
            number,
            TimeRange(days[0 if anchored else start - in_sample_days], days[start - 1]),
            TimeRange(days[start], days[min(start + out_of_sample_days, len(days)) - 1]),
        )
        for number, start in enumerate(starts)
    ]
