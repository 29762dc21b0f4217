"""Sessions of the currency market: five days a week, each from 17:00 to 17:00 in New York.

A day is named by its end, so the one that opens on Sunday is Monday's. It is closed from Friday's
end to Sunday's. No holidays: brokers differ in them, and a day without quotes has no candles.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.candles.calendar import SessionCalendar

_ZONE = ZoneInfo("America/New_York")
_END_OF_DAY = time(17)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SATURDAY = 5


def currency_sessions(first: date, last: date) -> SessionCalendar:
    """Of the days from `first` to `last`."""
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    dates = [day for day in days if day.weekday() < _SATURDAY]
    return SessionCalendar(
        [_end_of(day - timedelta(days=1)) for day in dates], [_end_of(day) for day in dates], dates
    )


def _end_of(day: date) -> int:
    moment = datetime.combine(day, _END_OF_DAY, _ZONE)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
