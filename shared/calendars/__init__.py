from shared.calendars.calendars import ALWAYS_OPEN, CURRENCIES, Calendars
from shared.calendars.errors import UnknownExchangeError

__all__ = ["ALWAYS_OPEN", "CURRENCIES", "Calendars", "UnknownExchangeError"]
