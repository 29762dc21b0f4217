from datetime import date

import pytest

from shared.candles import OutsideCalendarError, SessionCalendar
from shared.models.identifiers import Timeframe
from tests.shared.candles.sessions import DAY, HOUR, MINUTE, mumbai, new_york, ns, utc

_D1, _D2 = date(2024, 1, 2), date(2024, 1, 3)


@pytest.mark.parametrize(
    ("opens", "closes", "dates", "complaint"),
    [
        ([], [], [], "at least one session"),
        ([0, 10], [5], [_D1, _D2], "2 opens, 1 closes and 2 dates"),
        ([5], [5], [_D1], "not after its open"),
        ([0, 10], [11, 20], [_D1, _D2], "opens before 2024-01-02 has closed"),
        ([10, 0], [20, 5], [_D1, _D2], "opens before"),
        ([0, 10], [5, 20], [_D2, _D1], "2024-01-02 comes after 2024-01-03"),
        ([0, 10], [5, 20], [_D1, _D1], "2024-01-02 comes after 2024-01-02"),
    ],
)
def test_a_table_that_is_no_calendar_is_refused(
    opens: list[int], closes: list[int], dates: list[date], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        SessionCalendar(opens, closes, dates)


@pytest.mark.parametrize(("regular_open", "regular_close"), [(-1, 10), (0, 11), (5, 5), (20, 30)])
def test_regular_hours_outside_of_their_session_are_refused(
    regular_open: int, regular_close: int
) -> None:
    with pytest.raises(ValueError, match="regular hours of session 2024-01-02"):
        SessionCalendar([0], [10], [_D1], [regular_open], [regular_close])


def test_outside_of_the_calendar_all_hours_count_as_regular() -> None:
    calendar = SessionCalendar([1000], [2000], [_D1], [1200], [1800])
    assert calendar.hours_at(999) == (True, 0, 1000)
    assert calendar.hours_at(1100) == (False, 1000, 1200)
    assert calendar.hours_at(1799) == (True, 1200, 1800)
    assert calendar.hours_at(2000 + DAY).regular
    assert calendar.auctions_after(999) is None


def test_a_moment_belongs_to_the_last_session_that_opened() -> None:
    calendar = new_york("2024-01-02", "2024-01-05")
    opens = ns("2024-01-03T04:00", "America/New_York")
    assert calendar.session_at(opens - 1).date == date(2024, 1, 2)
    assert calendar.session_at(opens).date == date(2024, 1, 3)
    assert calendar.session_at(opens + 23 * HOUR).date == date(2024, 1, 3)


def test_a_session_may_open_at_the_moment_the_one_before_closes() -> None:
    calendar = SessionCalendar([0, 10], [10, 20], [_D1, _D2])
    assert calendar.session_at(9).date == _D1
    assert calendar.session_at(10).date == _D2


def test_times_without_a_session_are_refused_on_both_sides() -> None:
    calendar = new_york("2024-01-02", "2024-01-05")
    first = ns("2024-01-02T04:00", "America/New_York")
    last_close = ns("2024-01-05T20:00", "America/New_York")
    with pytest.raises(OutsideCalendarError, match="before the calendar's first session, 2024-01"):
        calendar.session_at(first - 1)
    assert calendar.session_at(last_close + DAY - 1).date == date(2024, 1, 5)
    with pytest.raises(OutsideCalendarError, match="after the calendar's last session, 2024-01-05"):
        calendar.session_at(last_close + DAY)


def test_a_week_spans_its_sessions_also_around_a_holiday_and_new_year() -> None:
    calendar = new_york(
        "2024-12-23", "2025-01-10", holidays=["2024-12-25", "2025-01-01", "2025-01-06"]
    )
    new_year = calendar.session_at(ns("2025-01-02T12:00", "America/New_York"))
    assert utc(new_year.week_open_ns) == "2024-12-30 09:00"
    assert utc(new_year.week_close_ns) == "2025-01-04 01:00"
    after_holiday = calendar.session_at(ns("2025-01-07T12:00", "America/New_York"))
    assert utc(after_holiday.week_open_ns) == "2025-01-07 09:00"


_XNYS = new_york(
    "2024-03-04", "2024-03-15", opens="09:30", closes="16:00", early_closes={"2024-03-06": "13:00"}
)


@pytest.mark.parametrize(
    ("timeframe", "at", "start", "end"),
    [
        # Counted from the open, and cut at the close.
        ("1m", "2024-03-05T09:30:59.999", "2024-03-05 14:30", "2024-03-05 14:31"),
        ("1h", "2024-03-05T10:15", "2024-03-05 14:30", "2024-03-05 15:30"),
        ("1h", "2024-03-05T15:45", "2024-03-05 20:30", "2024-03-05 21:00"),
        ("4h", "2024-03-05T14:00", "2024-03-05 18:30", "2024-03-05 21:00"),
        ("1d", "2024-03-05T14:00", "2024-03-05 14:30", "2024-03-05 21:00"),
        ("1w", "2024-03-05T14:00", "2024-03-04 14:30", "2024-03-08 21:00"),
        # A half day is a shorter session.
        ("1h", "2024-03-06T12:59", "2024-03-06 17:30", "2024-03-06 18:00"),
        ("1d", "2024-03-06T12:59", "2024-03-06 14:30", "2024-03-06 18:00"),
        # After the close: counted from the close, in whole lengths, until the next open.
        ("1m", "2024-03-05T16:00:30", "2024-03-05 21:00", "2024-03-05 21:01"),
        ("1h", "2024-03-05T16:00", "2024-03-05 21:00", "2024-03-05 22:00"),
        ("4h", "2024-03-06T09:29", "2024-03-06 13:00", "2024-03-06 14:30"),
        ("1d", "2024-03-05T16:00", "2024-03-05 21:00", "2024-03-06 14:30"),
        ("1d", "2024-03-08T16:00", "2024-03-08 21:00", "2024-03-09 21:00"),
        ("1w", "2024-03-05T16:00", "2024-03-04 14:30", "2024-03-08 21:00"),
        ("1w", "2024-03-08T16:00", "2024-03-08 21:00", "2024-03-11 13:30"),
        # Clocks went forward on Sunday the 10th: the open is an hour earlier in UTC.
        ("1h", "2024-03-11T09:30", "2024-03-11 13:30", "2024-03-11 14:30"),
    ],
)
def test_intervals_follow_the_session(timeframe: Timeframe, at: str, start: str, end: str) -> None:
    at_ns = ns(at, "America/New_York")
    interval = _XNYS.session_at(at_ns).interval(timeframe, at_ns)
    assert (utc(interval[0]), utc(interval[1])) == (start, end)


def test_a_session_that_opens_at_a_quarter_past_aligns_hours_to_it() -> None:
    calendar = mumbai("2024-03-04", "2024-03-08")
    at_ns = ns("2024-03-05T05:00")
    start, end = calendar.session_at(at_ns).interval("1h", at_ns)
    assert (utc(start), utc(end)) == ("2024-03-05 04:45", "2024-03-05 05:45")
    last = ns("2024-03-05T09:50")
    assert utc(calendar.session_at(last).interval("1h", last)[1]) == "2024-03-05 10:00"


def test_a_continuous_market_has_one_session_a_utc_day_and_weeks_from_monday() -> None:
    calendar = SessionCalendar.continuous()
    at_ns = ns("2024-03-10T23:59:59")  # a Sunday
    session = calendar.session_at(at_ns)
    assert session.date == date(2024, 3, 10)
    assert [utc(edge) for edge in session.interval("1d", at_ns)] == [
        "2024-03-10 00:00",
        "2024-03-11 00:00",
    ]
    assert [utc(edge) for edge in session.interval("1w", at_ns)] == [
        "2024-03-04 00:00",
        "2024-03-11 00:00",
    ]
    assert calendar.session_at(at_ns + MINUTE).date == date(2024, 3, 11)
    with pytest.raises(OutsideCalendarError, match="before 1970"):
        calendar.session_at(-1)


def test_calendars_of_equal_sessions_are_equal() -> None:
    assert new_york("2024-01-02", "2024-01-05") == new_york("2024-01-02", "2024-01-05")
    assert new_york("2024-01-02", "2024-01-05") != new_york("2024-01-02", "2024-01-04")
    assert SessionCalendar.continuous() == SessionCalendar.continuous()
    assert SessionCalendar.continuous() != SessionCalendar([0], [DAY], [date(1970, 1, 1)])
