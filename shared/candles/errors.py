"""What the candle builder refuses. In each case nothing has changed.

ValueError
├── OutsideCalendarError   a time that the calendar knows no session for: get a longer calendar
└── LateTradesError        prints of minutes that are over: drop them, and add the rest again
"""

from collections.abc import Sequence


class OutsideCalendarError(ValueError):
    pass


class LateTradesError(ValueError):
    """Some prints belong to minutes that have ended. `indexes` are theirs, ascending.

    Without them the same columns are accepted.
    """

    def __init__(self, symbol: str, indexes: Sequence[int], first_at_ns: int, now_ns: int) -> None:
        super().__init__(
            f"{symbol}: {len(indexes)} late trades, the first (index {indexes[0]}) at"
            f" {first_at_ns} ns; its minute had ended by {now_ns} ns"
        )
        self.indexes = tuple(indexes)
