from shared.calendars.calendars import ALWAYS_OPEN, Calendars
from shared.calendars.errors import UnknownExchangeError

__all__ = ["ALWAYS_OPEN", "Calendars", "UnknownExchangeError"]
