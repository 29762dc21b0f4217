"""The nine timeframes: their names, and how long their intervals are."""

from collections.abc import Mapping
from typing import Final

from shared.models.identifiers import TIMEFRAMES, Timeframe

MINUTE_NS: Final = 60_000_000_000
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

#: The nominal length of an interval. A session's close can cut one short, and `1d` and `1w`
#: follow sessions: see `shared.candles.calendar`.
LENGTH_NS: Final[Mapping[Timeframe, int]] = {
    "1m": MINUTE_NS,
    "3m": 3 * MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": HOUR_NS,
    "4h": 4 * HOUR_NS,
    "1d": DAY_NS,
    "1w": 7 * DAY_NS,
}

# Exact spellings only: in TradingView's language `1M` is a month, so case must not be folded.
_SPELLINGS: Final[Mapping[str, Timeframe]] = {
    **{timeframe: timeframe for timeframe in TIMEFRAMES},
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "240": "4h",
    "D": "1d",
    "1D": "1d",
    "W": "1w",
    "1W": "1w",
}


def parse_timeframe(text: str) -> Timeframe:
    """The timeframe of our name or TradingView's (`60`, `1D`). ValueError for any other."""
    try:
        return _SPELLINGS[text]
    except KeyError:
        known = ", ".join(TIMEFRAMES)
        raise ValueError(f"unknown timeframe {text!r}; known are {known}") from None
