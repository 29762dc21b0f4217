from market_data_engine.calendars.calendars import ALWAYS_OPEN, Calendars

__all__ = ["ALWAYS_OPEN", "Calendars"]
