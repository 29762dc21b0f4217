"""Trading sessions as plain values: which one a moment belongs to, and which week."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import DAY_NS, LENGTH_NS
from shared.models.identifiers import Timeframe

# 1970-01-01 was a Thursday: the first Monday came four days later.
_FIRST_MONDAY_NS = 4 * DAY_NS
_WEEK_NS = 7 * DAY_NS


@dataclass(frozen=True, slots=True)
class Session:
    """One session: its hours, its date at the exchange, and the span of its ISO week's sessions.

    It owns the time up to `next_open_ns` (exclusive), also after its close.
    """

    open_ns: int
    close_ns: int
    next_open_ns: int
    date: date
    week_open_ns: int
    week_close_ns: int

    def interval(self, timeframe: Timeframe, at_ns: int) -> tuple[int, int]:
        """Start and end (exclusive) of the interval around `at_ns`, a time this session owns.

        Intervals of small timeframes nest in those of larger ones, except `3m` in `5m`.
        """
        if at_ns < self.close_ns:
            if timeframe == "1d":
                return self.open_ns, self.close_ns
            if timeframe == "1w":
                return self.week_open_ns, self.week_close_ns
            origin, limit = self.open_ns, self.close_ns
        else:
            if timeframe == "1w" and at_ns < self.week_close_ns:
                return self.week_open_ns, self.week_close_ns
            # After the close intervals are counted from the close. So none is cut in two by it.
            origin, limit = self.close_ns, self.next_open_ns
        length = LENGTH_NS[timeframe]
        start = at_ns - (at_ns - origin) % length
        return start, min(start + length, limit)


class SessionCalendar:
    """The sessions of one exchange, in order. A value: it never changes.

    A week is what the table has of it, so tables should begin and end with whole weeks. The
    last session owns one day after its close; what comes later is outside the calendar.
    """

    def __init__(
        self, opens_ns: Sequence[int], closes_ns: Sequence[int], dates: Sequence[date]
    ) -> None:
        """Columns of equal length, ascending, sessions not overlapping; ValueError otherwise.

        A session may open at the very moment the one before closes.
        """
        if not len(opens_ns) == len(closes_ns) == len(dates):
            raise ValueError(
                f"{len(opens_ns)} opens, {len(closes_ns)} closes and {len(dates)} dates"
            )
        if not opens_ns:
            raise ValueError("a calendar needs at least one session")
        for index, (opens, closes, day) in enumerate(zip(opens_ns, closes_ns, dates, strict=True)):
            if opens >= closes:
                raise ValueError(f"session {day} closes at {closes} ns, not after its open {opens}")
            if index and day <= dates[index - 1]:
                raise ValueError(f"session {day} comes after {dates[index - 1]}")
            if index and opens < closes_ns[index - 1]:
                raise ValueError(f"session {day} opens before {dates[index - 1]} has closed")
        self._opens_ns = tuple(opens_ns)
        self._closes_ns = tuple(closes_ns)
        self._dates = tuple(dates)
        self._weeks = _week_spans(self._opens_ns, self._closes_ns, self._dates)

    @classmethod
    def continuous(cls) -> "SessionCalendar":
        """A market that never closes: one session a UTC day, at all times since 1970."""
        return _Continuous()

    def session_at(self, at_ns: int) -> Session:
        """The last session that opened at or before `at_ns`.

        OutsideCalendarError before the first session, and from a day after the last close.
        """
        index = bisect_right(self._opens_ns, at_ns) - 1
        if index < 0:
            raise OutsideCalendarError(
                f"{at_ns} ns is before the calendar's first session, {self._dates[0]}"
            )
        if index + 1 < len(self._opens_ns):
            next_open_ns = self._opens_ns[index + 1]
        else:
            next_open_ns = self._closes_ns[index] + DAY_NS
            if at_ns >= next_open_ns:
                raise OutsideCalendarError(
                    f"{at_ns} ns is after the calendar's last session, {self._dates[-1]}"
                )
        week_open_ns, week_close_ns = self._weeks[self._dates[index].isocalendar()[:2]]
        return Session(
            open_ns=self._opens_ns[index],
            close_ns=self._closes_ns[index],
            next_open_ns=next_open_ns,
            date=self._dates[index],
            week_open_ns=week_open_ns,
            week_close_ns=week_close_ns,
        )

    def close_after(self, at_ns: int) -> int | None:
        """The close of the session that `at_ns` is in; between sessions, of the next one.

        None outside of the calendar.
        """
        try:
            session = self.session_at(at_ns)
            if at_ns >= session.close_ns:
                session = self.session_at(session.next_open_ns)
        except OutsideCalendarError:
            return None
        return session.close_ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionCalendar) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self._opens_ns, self._closes_ns, self._dates


class _Continuous(SessionCalendar):
    def __init__(self) -> None:
        super().__init__([0], [DAY_NS], [date(1970, 1, 1)])

    def session_at(self, at_ns: int) -> Session:
        if at_ns < 0:
            raise OutsideCalendarError(f"{at_ns} ns is before 1970")
        open_ns = at_ns - at_ns % DAY_NS
        week_open_ns = at_ns - (at_ns - _FIRST_MONDAY_NS) % _WEEK_NS
        return Session(
            open_ns=open_ns,
            close_ns=open_ns + DAY_NS,
            next_open_ns=open_ns + DAY_NS,
            date=datetime.fromtimestamp(open_ns // 1_000_000_000, UTC).date(),
            week_open_ns=week_open_ns,
            week_close_ns=week_open_ns + _WEEK_NS,
        )

    def _key(self) -> tuple[object, ...]:
        return ("continuous",)


def _week_spans(
    opens_ns: Sequence[int], closes_ns: Sequence[int], dates: Sequence[date]
) -> dict[tuple[int, int], tuple[int, int]]:
    """(first open, last close) by ISO year and week."""
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for opens, closes, day in zip(opens_ns, closes_ns, dates, strict=True):
        week = day.isocalendar()[:2]
        first_open, _ = spans.get(week, (opens, closes))
        spans[week] = (first_open, closes)
    return spans
