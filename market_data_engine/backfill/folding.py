"""Larger candles made anew of one-minute candles that were healed. Pure."""

from collections.abc import Iterable, Sequence

from market_data_engine.store.stored import Quality, StoredCandle
from shared.candles.calendar import SessionCalendar
from shared.candles.folding import fold
from shared.models.identifiers import TIMEFRAMES, Timeframe

#: All that a one-minute candle is part of.
LARGER: tuple[Timeframe, ...] = tuple(name for name in TIMEFRAMES if name != "1m")


def intervals(calendar: SessionCalendar, starts: Iterable[int]) -> set[tuple[Timeframe, int, int]]:
    """(timeframe, start, end) of all larger intervals that the minutes are part of."""
    found = set()
    for start_ns in starts:
        session = calendar.session_at(start_ns)
        for timeframe in LARGER:
            found.add((timeframe, *session.interval(timeframe, start_ns)))
    return found


def folded(
    parts: Sequence[StoredCandle], timeframe: Timeframe, start_ns: int, end_ns: int, as_of_ns: int
) -> StoredCandle | None:
    """One candle of all its minutes, oldest first; None when there are none."""
    if not parts:
        return None
    candle = fold([part.candle for part in parts], timeframe, start_ns, end_ns)
    names = {name for part in parts for name in part.source.split("+")}
    return StoredCandle(candle, "+".join(sorted(names)), _quality(parts), as_of_ns)


def _quality(parts: Sequence[StoredCandle]) -> Quality:
    qualities = {part.quality for part in parts}
    if "partial" in qualities:
        return "partial"
    return "healed" if "healed" in qualities else "complete"
