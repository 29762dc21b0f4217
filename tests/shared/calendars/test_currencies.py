"""The currency market's week: Sunday 17:00 to Friday 17:00 in New York."""

from datetime import date, datetime
from pathlib import Path

import pytest

from shared.calendars import CURRENCIES, Calendars
from shared.candles.calendar import SessionCalendar

SECOND_NS = 1_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND_NS


@pytest.fixture(scope="module")
def currencies(tmp_path_factory: pytest.TempPathFactory) -> SessionCalendar:
    folder: Path = tmp_path_factory.mktemp("calendars")
    calendar = Calendars(folder).of(CURRENCIES)
    assert list(folder.iterdir()) == []  # it needs no table
    return calendar


@pytest.mark.parametrize(
    ("moment", "day", "opens", "closes"),
    [
        # Winter: 22:00 UTC; summer: 21:00.
        ("2024-01-14T22:00Z", "2024-01-15", "2024-01-14T22:00Z", "2024-01-15T22:00Z"),
        ("2024-01-16T21:59:59Z", "2024-01-16", "2024-01-15T22:00Z", "2024-01-16T22:00Z"),
        ("2024-07-05T20:59Z", "2024-07-05", "2024-07-04T21:00Z", "2024-07-05T21:00Z"),
        # The clocks change on a Sunday morning, when it is closed: Monday opens at the new time.
        ("2024-03-10T21:00Z", "2024-03-11", "2024-03-10T21:00Z", "2024-03-11T21:00Z"),
        ("2024-11-03T22:00Z", "2024-11-04", "2024-11-03T22:00Z", "2024-11-04T22:00Z"),
    ],
)
def test_a_day_ends_at_five_in_new_york(
    currencies: SessionCalendar, moment: str, day: str, opens: str, closes: str
) -> None:
    session = currencies.session_at(ns(moment))
    assert (session.open_ns, session.close_ns) == (ns(opens), ns(closes))
    assert session.date == date.fromisoformat(day)


def test_from_friday_to_sunday_it_is_closed_and_the_next_session_is_mondays(
    currencies: SessionCalendar,
) -> None:
    saturday = ns("2024-01-13T12:00Z")
    assert currencies.session_at(saturday).close_ns == ns("2024-01-12T22:00Z")
    assert currencies.next_session(saturday).open_ns == ns("2024-01-14T22:00Z")


def test_a_week_is_five_days_without_a_gap_between_them(currencies: SessionCalendar) -> None:
    session = currencies.session_at(ns("2024-01-17T12:00Z"))
    assert (session.week_open_ns, session.week_close_ns) == (
        ns("2024-01-14T22:00Z"),
        ns("2024-01-19T22:00Z"),
    )
    assert session.next_open_ns == session.close_ns
    assert session.interval("4h", ns("2024-01-17T12:00Z")) == (
        ns("2024-01-17T10:00Z"),
        ns("2024-01-17T14:00Z"),
    )
