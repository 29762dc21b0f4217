"""When a DAY order ends."""

from shared.candles.calendar import SessionCalendar

_CONTINUOUS = SessionCalendar.continuous()
#: The exchange of markets that never close: one session a UTC day.
ALWAYS_OPEN = "24/7"


class ContinuousSessions:
    """Knows the markets that never close. DAY orders elsewhere are refused with a reason, until
    this process has the exchanges' calendars."""

    def close_after(self, exchange: str, at_ns: int) -> int | None:
        return _CONTINUOUS.session_at(at_ns).close_ns if exchange == ALWAYS_OPEN else None
