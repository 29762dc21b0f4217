"""Calendars for these tests, from rules written out here and the time zone database."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.candles import SessionCalendar

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def ns(text: str, zone: str = "UTC") -> int:
    """The moment of a local time such as `2024-03-08T09:30`, exact to the microsecond."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def weekdays(first: str, last: str, holidays: Iterable[str] = ()) -> list[date]:
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    closed = {date.fromisoformat(holiday) for holiday in holidays}
    days = []
    while day <= end:
        if day.weekday() < 5 and day not in closed:
            days.append(day)
        day += timedelta(days=1)
    return days


def calendar(
    days: list[date],
    opens: str,
    closes: str,
    zone: str,
    early_closes: Mapping[str, str] | None = None,
) -> SessionCalendar:
    early = early_closes or {}
    return SessionCalendar(
        [ns(f"{day}T{opens}", zone) for day in days],
        [ns(f"{day}T{early.get(str(day), closes)}", zone) for day in days],
        days,
    )


def new_york(
    first: str,
    last: str,
    *,
    opens: str = "04:00",
    closes: str = "20:00",
    holidays: Iterable[str] = (),
    early_closes: Mapping[str, str] | None = None,
) -> SessionCalendar:
    days = weekdays(first, last, holidays)
    return calendar(days, opens, closes, "America/New_York", early_closes)


def mumbai(first: str, last: str) -> SessionCalendar:
    return calendar(weekdays(first, last), "09:15", "15:30", "Asia/Kolkata")


def utc(at_ns: int) -> str:
    """Such as `2024-03-08 14:30`; seconds only when there are some."""
    moment = datetime.fromtimestamp(at_ns / SECOND, UTC)
    form = "%Y-%m-%d %H:%M" if moment.time().replace(second=0) == moment.time() else "%F %T"
    return moment.strftime(form)


__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "calendar", "mumbai", "new_york", "ns", "utc"]
