"""Trading sessions as plain values: which one a moment belongs to, its regular hours, its week."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import DAY_NS, LENGTH_NS
from shared.models.identifiers import Timeframe

# 1970-01-01 was a Thursday: the first Monday came four days later.
_FIRST_MONDAY_NS = 4 * DAY_NS
_WEEK_NS = 7 * DAY_NS
#: Beyond all times.
NEVER_NS = 1 << 63


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
    #: Within the session: what comes before and after are extended hours.
    regular_open_ns: int
    regular_close_ns: int

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


class HoursSpan(NamedTuple):
    """A stretch of time that is all in regular hours, or all outside of them."""

    regular: bool
    from_ns: int
    #: Exclusive.
    until_ns: int


class SessionCalendar:
    """The sessions of one exchange, in order. A value: it never changes.

    A week is what the table has of it, so tables should begin and end with whole weeks. The
    last session owns one day after its close; what comes later is outside the calendar.
    """

    def __init__(
        self,
        opens_ns: Sequence[int],
        closes_ns: Sequence[int],
        dates: Sequence[date],
        regular_opens_ns: Sequence[int] | None = None,
        regular_closes_ns: Sequence[int] | None = None,
    ) -> None:
        """Columns of equal length, ascending, sessions not overlapping; ValueError otherwise.

        A session may open at the very moment the one before closes. Regular hours lie within
        their session; without them the whole session is regular.
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
        self._regular_opens_ns = tuple(regular_opens_ns or opens_ns)
        self._regular_closes_ns = tuple(regular_closes_ns or closes_ns)
        self._check_regular_hours()

    def _check_regular_hours(self) -> None:
        for opens, regular_open, regular_close, closes, day in zip(
            self._opens_ns,
            self._regular_opens_ns,
            self._regular_closes_ns,
            self._closes_ns,
            self._dates,
            strict=True,
        ):
            if not opens <= regular_open < regular_close <= closes:
                raise ValueError(f"the regular hours of session {day} do not lie within it")

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
            regular_open_ns=self._regular_opens_ns[index],
            regular_close_ns=self._regular_closes_ns[index],
        )

    def next_session(self, at_ns: int) -> Session:
        """The session that `at_ns` is in; between sessions, the next one. OutsideCalendarError."""
        session = self.session_at(at_ns)
        return session if at_ns < session.close_ns else self.session_at(session.next_open_ns)

    def hours_at(self, at_ns: int) -> HoursSpan:
        """Whether `at_ns` is in regular hours, and how long that was and will be so.

        What is outside of the calendar counts as regular: nothing is known of it.
        """
        try:
            session = self.session_at(at_ns)
        except OutsideCalendarError:
            if at_ns < self._opens_ns[0]:
                return HoursSpan(True, 0, self._opens_ns[0])
            return HoursSpan(True, self._closes_ns[-1] + DAY_NS, NEVER_NS)
        opens_ns, closes_ns = session.regular_open_ns, session.regular_close_ns
        if at_ns < opens_ns:
            return HoursSpan(False, session.open_ns, opens_ns)
        if at_ns < closes_ns:
            return HoursSpan(True, opens_ns, closes_ns)
        return HoursSpan(False, closes_ns, session.next_open_ns)

    def auctions_after(self, at_ns: int) -> tuple[int, int] | None:
        """The next regular open and the next regular close after `at_ns`.

        None where the market never closes, and when one of them is outside of the calendar.
        """
        try:
            session = self.next_session(at_ns)
            while at_ns >= session.regular_close_ns:
                session = self.session_at(session.next_open_ns)
            closes_ns = session.regular_close_ns
            while at_ns >= session.regular_open_ns:
                session = self.session_at(session.next_open_ns)
        except OutsideCalendarError:
            return None
        return session.regular_open_ns, closes_ns

    def close_after(self, at_ns: int) -> int | None:
        """The close of the session that `at_ns` is in; between sessions, of the next one.

        None outside of the calendar.
        """
        try:
            return self.next_session(at_ns).close_ns
        except OutsideCalendarError:
            return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionCalendar) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (
            self._opens_ns,
            self._closes_ns,
            self._dates,
            self._regular_opens_ns,
            self._regular_closes_ns,
        )


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
            regular_open_ns=open_ns,
            regular_close_ns=open_ns + DAY_NS,
        )

    def hours_at(self, at_ns: int) -> HoursSpan:  # noqa: ARG002 - it never changes
        return HoursSpan(True, 0, NEVER_NS)

    def auctions_after(self, at_ns: int) -> tuple[int, int] | None:  # noqa: ARG002
        return None

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
