"""When a DAY order ends: at the close of the session that it was accepted in."""

import subprocess
from time import monotonic

import structlog

from shared.calendars import Calendars, UnknownExchangeError
from shared.candles.calendar import SessionCalendar
from shared.database import DatabaseThread

log = structlog.get_logger()

#: A calendar ends with the next year, so a long-lived process asks for it again now and then.
_AGE_S = 86_400.0
#: What could not be loaded is not tried again before.
_PAUSE_AFTER_FAULT_S = 60.0


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

    def close_after(self, exchange: str, at_ns: int) -> int | None:
        """The close (ns) of the session that `at_ns` is in; between sessions, of the next one.

        None when it isn't known: without a calendar, or outside of it.
        """
        calendar, _ = self._known.get(exchange, (None, 0.0))
        return None if calendar is None else calendar.close_after(at_ns)
