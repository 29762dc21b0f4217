"""Candles from prints: sessions, timeframes, and the builder. Pure."""

from shared.candles.builder import CandleBuilder as CandleBuilder
from shared.candles.calendar import Session as Session
from shared.candles.calendar import SessionCalendar as SessionCalendar
from shared.candles.errors import LateTradesError as LateTradesError
from shared.candles.errors import OutsideCalendarError as OutsideCalendarError
from shared.candles.timeframes import LENGTH_NS as LENGTH_NS
from shared.candles.timeframes import parse_timeframe as parse_timeframe
