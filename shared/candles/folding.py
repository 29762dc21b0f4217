"""A larger candle from the smaller ones that it is made of."""

from collections.abc import Sequence

from shared.models.identifiers import Timeframe
from shared.models.market import Candle


def fold(parts: Sequence[Candle], timeframe: Timeframe, start_ns: int, end_ns: int) -> Candle:
    """`parts` are of one symbol, oldest first, and at least one."""
    volume = sum(part.volume for part in parts)
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    close = parts[-1].close
    notional = sum(part.vwap * part.volume for part in parts)
    return Candle(
        parts[0].symbol,
        timeframe,
        start_ns,
        end_ns,
        parts[0].open,
        high,
        low,
        close,
        volume,
        # An average lies within its values; only rounding can take it out of them.
        min(max(notional / volume, low), high) if volume else close,
        sum(part.trades for part in parts),
    )
