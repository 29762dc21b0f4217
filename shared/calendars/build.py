"""Sessions of an exchange from exchange_calendars, printed as JSON.

Runs as a process of its own (`python -m shared.calendars.build XNYS 1997-12-29
2027-12-31`), because pandas would stay in the memory of the service for good.
"""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from shared.calendars.errors import UnknownExchangeError
from shared.candles.calendar import SessionCalendar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Names that other markets go by: NSE trades the Bombay exchange's sessions, and Nasdaq New York's.
_SAME_SESSIONS = {"XNSE": "XBOM", "XNAS": "XNYS", "ARCX": "XNYS"}


class SessionTable(msgspec.Struct, frozen=True):
    """Columns of equal length, ascending."""

    opens_ns: list[int]
    closes_ns: list[int]
    dates: list[date]
    regular_opens_ns: list[int]
    regular_closes_ns: list[int]

    def calendar(self) -> SessionCalendar:
        return SessionCalendar(
            self.opens_ns,
            self.closes_ns,
            self.dates,
            self.regular_opens_ns,
            self.regular_closes_ns,
        )


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def new_york_extended(day: date, early_close: bool) -> tuple[int, int]:
    """Pre-market from 04:00 to the end of after-hours: 20:00, on half days 17:00."""
    zone = ZoneInfo("America/New_York")
    last = time(17) if early_close else time(20)
    return (
        _ns(datetime.combine(day, time(4), zone)),
        _ns(datetime.combine(day, last, zone)),
    )


_EXTENDED: dict[str, Callable[[date, bool], tuple[int, int]]] = {"XNYS": new_york_extended}


def build(exchange: str, first: date, last: date) -> SessionTable:
    """Sessions from `first` to `last`, or as far as the holidays are known."""
    import exchange_calendars as known

    name = _SAME_SESSIONS.get(exchange, exchange)
    try:
        default = known.get_calendar(name)
    except known.errors.InvalidCalendarName:
        raise UnknownExchangeError(exchange) from None
    earliest, latest = default.bound_min(), default.bound_max()
    start = first if earliest is None else max(first, earliest.date())
    end = last if latest is None else min(last, latest.date())
    calendar = known.get_calendar(name, start=start.isoformat(), end=end.isoformat())
    dates = [stamp.date() for stamp in calendar.opens.index]
    opens = [stamp.value for stamp in calendar.opens]
    closes = [stamp.value for stamp in calendar.closes]
    if hours := _EXTENDED.get(name):
        early = {stamp.date() for stamp in calendar.early_closes}
        spans = [hours(day, day in early) for day in dates]
        extended_opens, extended_closes = ([span[end] for span in spans] for end in (0, 1))
        return SessionTable(extended_opens, extended_closes, dates, opens, closes)
    return SessionTable(opens, closes, dates, opens, closes)


def main(arguments: list[str]) -> int:
    exchange, first, last = arguments
    try:
        table = build(exchange, date.fromisoformat(first), date.fromisoformat(last))
    except UnknownExchangeError:
        return 3
    sys.stdout.buffer.write(msgspec.json.encode(table))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
