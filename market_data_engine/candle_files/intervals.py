"""Rows of a candle file as candles of the exchange's calendar. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from shared.candles.calendar import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import DAY_NS
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

#: start_ns, open, high, low, close, volume, vwap, trades.
Row = tuple[int, float, float, float, float, float, float, int]


def candles_of(
    symbol: Symbol, timeframe: Timeframe, rows: Iterable[Row], calendar: SessionCalendar, most: int
) -> tuple[list[Candle], list[str]]:
    """The candles, and what is wrong with the others: at most `most` sentences.

    A daily candle may also be named by midnight before its session, in UTC or at the exchange, as
    files of daily bars do.
    """
    candles: list[Candle] = []
    problems: list[str] = []
    for row in rows:
        start_ns = row[0]
        span = _interval(timeframe, start_ns, calendar)
        if span is not None:
            candles.append(Candle(symbol, timeframe, span[0], span[1], *row[1:]))
            continue
        at = datetime.fromtimestamp(start_ns // 1_000_000_000, UTC)
        problems.append(
            f"{symbol} {at:%Y-%m-%dT%H:%M:%SZ}: the exchange's calendar has no {timeframe} candle"
            " that starts then"
        )
        if len(problems) == most:
            break
    return candles, problems


def _interval(
    timeframe: Timeframe, start_ns: int, calendar: SessionCalendar
) -> tuple[int, int] | None:
    try:
        span = calendar.session_at(start_ns).interval(timeframe, start_ns)
    except OutsideCalendarError:
        span = (0, start_ns)
    if span[0] == start_ns:
        return span
    return _day(start_ns, calendar) if timeframe == "1d" else None


def _day(midnight_ns: int, calendar: SessionCalendar) -> tuple[int, int] | None:
    """The session that opens in the 24 hours after that midnight."""
    try:
        session = calendar.session_at(midnight_ns + DAY_NS - 1)
    except OutsideCalendarError:
        return None
    if session.open_ns <= midnight_ns:
        return None
    # Noon at the exchange is on the session's date, also where its midnight is on the day before.
    noon = datetime.fromtimestamp((midnight_ns + DAY_NS // 2) // 1_000_000_000, UTC)
    is_midnight = midnight_ns % DAY_NS == 0 or _is_closed(midnight_ns, calendar)
    return (
        (session.open_ns, session.close_ns) if is_midnight and noon.date() == session.date else None
    )


def _is_closed(at_ns: int, calendar: SessionCalendar) -> bool:
    try:
        return calendar.session_at(at_ns).close_ns <= at_ns
    except OutsideCalendarError:  # before the first session
        return True
