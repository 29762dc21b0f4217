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

    A daily candle may also be named by its date at midnight UTC, as files of daily bars are.
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
        if timeframe == "1d" and start_ns % DAY_NS == 0:
            session = calendar.session_at(start_ns + DAY_NS - 1)
            date = datetime.fromtimestamp(start_ns // 1_000_000_000, UTC).date()
            return (session.open_ns, session.close_ns) if session.date == date else None
        span = calendar.session_at(start_ns).interval(timeframe, start_ns)
    except OutsideCalendarError:
        return None
    return span if span[0] == start_ns else None
