"""Candles the slow way, to compare with: every print put into every timeframe, no state.

Nothing of `shared.candles` is used but the sessions that a test wrote down.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle

Print = tuple[int, float, float]
#: Opens, closes and date of each session, in order.
Sessions = Sequence[tuple[int, int, date]]

MINUTES: dict[Timeframe, int] = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080,
}  # fmt: skip


def interval(sessions: Sessions, timeframe: Timeframe, at_ns: int) -> tuple[int, int]:
    index = bisect_right(sessions, at_ns, key=lambda session: session[0]) - 1
    opens, closes, day = sessions[index]
    week = [s for s in sessions if s[2].isocalendar()[:2] == day.isocalendar()[:2]]
    if timeframe == "1w" and at_ns < week[-1][1]:
        return week[0][0], week[-1][1]
    if timeframe == "1d" and at_ns < closes:
        return opens, closes
    length = MINUTES[timeframe] * 60_000_000_000
    if at_ns < closes:
        start, limit = opens, closes
    else:
        start = closes
        limit = sessions[index + 1][0] if index + 1 < len(sessions) else closes + 10**18
    while start + length <= at_ns:
        start += length
    return start, min(start + length, limit)


def candles(
    sessions: Sessions, symbol: Symbol, prints: Sequence[Print]
) -> dict[Timeframe, list[Candle]]:
    """All candles, complete or not, by timeframe and start; prints count in the order given."""
    result: dict[Timeframe, list[Candle]] = {}
    for timeframe in TIMEFRAMES:
        groups: dict[tuple[int, int], list[Print]] = {}
        for item in prints:
            groups.setdefault(interval(sessions, timeframe, item[0]), []).append(item)
        result[timeframe] = []
        for (start, end), group in sorted(groups.items()):
            prices = [price for _, price, _ in group]
            volume = sum(size for _, _, size in group)
            notional = sum(price * size for _, price, size in group)
            result[timeframe].append(
                Candle(
                    symbol=symbol,
                    timeframe=timeframe,
                    start_ns=start,
                    end_ns=end,
                    open=prices[0],
                    high=max(prices),
                    low=min(prices),
                    close=prices[-1],
                    volume=volume,
                    vwap=notional / volume if volume else prices[-1],
                    trades=len(group),
                )
            )
    return result
