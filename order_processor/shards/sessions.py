"""When exchanges trade: their regular and extended hours, and where sessions end."""

import subprocess
from time import monotonic
from typing import NamedTuple

import structlog

from order_processor.shards.clock import nanoseconds
from shared.calendars import Calendars, UnknownExchangeError
from shared.candles.calendar import NEVER_NS, HoursSpan, Session, SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.database import DatabaseThread
from shared.trading.hours import Hours, hours_from

log = structlog.get_logger()

#: A calendar ends with the next year, so a long-lived process asks for it again now and then.
_AGE_S = 86_400.0
#: What could not be loaded is not tried again before.
_PAUSE_AFTER_FAULT_S = 60.0


class _KnownHours(NamedTuple):
    calendar: SessionCalendar
    since_ns: int
    #: Exclusive.
    until_ns: int
    hours: Hours

    def holds(self, calendar: SessionCalendar, at_ns: int) -> bool:
        return self.calendar is calendar and self.since_ns <= at_ns < self.until_ns


class Sessions:
    """Of all exchanges, for all shards of the process.

    Calendars take seconds when they are built and milliseconds when they are read, so that is
    done in a thread of its own: leases must be renewed meanwhile. Looking up takes no I/O.
    """

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars
        self._thread = DatabaseThread("calendars")
        #: Exchange → its calendar, None without one, and when to ask again.
        self._known: dict[str, tuple[SessionCalendar | None, float]] = {}
        #: By exchange: commands of one moment ask for the same.
        self._hours: dict[str, _KnownHours] = {}

    def close(self) -> None:
        self._thread.close()

    def ready(self, exchange: str) -> bool:
        _, good_until = self._known.get(exchange, (None, 0.0))
        return monotonic() < good_until

    async def prepare(self, exchange: str) -> None:
        """Load the calendar of `exchange`, if there is one."""
        await self._thread.run(self._load, exchange)

    def _load(self, exchange: str) -> None:
        if self.ready(exchange):  # another shard had asked for it
            return
        calendar, age_s = None, _AGE_S
        try:
            calendar = self._calendars.of(exchange)
        except UnknownExchangeError:
            log.info("no_calendar", exchange=exchange)
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            log.error("calendar_not_loaded", exchange=exchange, error=repr(error))
            age_s = _PAUSE_AFTER_FAULT_S
        self._known[exchange] = (calendar, monotonic() + age_s)

    def hours(self, exchange: str, at_ns: int) -> Hours | None:
        """None when they aren't known: without a calendar, or outside of it."""
        calendar = self._calendar(exchange)
        if calendar is None:
            return None
        known = self._hours.get(exchange)
        if known is not None and known.holds(calendar, at_ns):
            return known.hours
        hours = hours_from(calendar, at_ns)
        if hours is not None:
            # They are the same until the first of what they name.
            until_ns = min(nanoseconds(each) for each in hours if each is not None)
            self._hours[exchange] = _KnownHours(calendar, at_ns, until_ns, hours)
        return hours

    def session(self, exchange: str, at_ns: int) -> Session | None:
        """The last one that opened at or before `at_ns`; None when it isn't known."""
        calendar = self._calendar(exchange)
        try:
            return None if calendar is None else calendar.session_at(at_ns)
        except OutsideCalendarError:
            return None

    def span(self, exchange: str | None, at_ns: int) -> HoursSpan:
        """Of hours that aren't known, all count as regular."""
        calendar = self._calendar(exchange)
        return HoursSpan(True, 0, NEVER_NS) if calendar is None else calendar.hours_at(at_ns)

    def _calendar(self, exchange: str | None) -> SessionCalendar | None:
        return self._known[exchange][0] if exchange in self._known else None
