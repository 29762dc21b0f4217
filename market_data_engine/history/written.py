"""Completed candles as JSON, written once for all who ask for them."""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from market_data_engine.history.memory import KEPT
from market_data_engine.history.schemas import item
from market_data_engine.store.stored import StoredCandle
from shared.models.identifiers import Timeframe

#: Symbols and timeframes that are kept, those asked for last; 300 kB each at most.
_MOST_SERIES = 200

_Series = dict[int, tuple[StoredCandle, msgspec.Raw]]


class WrittenCandles:
    """What is kept of a candle is known by the very object: a healed one is another."""

    def __init__(self, most_series: int = _MOST_SERIES) -> None:
        self._most_series = most_series
        #: By symbol and timeframe, then by start; those asked for last at the end.
        self._series: OrderedDict[tuple[str, Timeframe], _Series] = OrderedDict()

    def of(
        self, symbol: str, timeframe: Timeframe, candles: Sequence[StoredCandle]
    ) -> list[msgspec.Raw]:
        """`CandleItem`s of the series."""
        if len(candles) > KEPT:  # of the store: nobody asks for the same ones again
            return [_written(one) for one in candles]
        known = self._series.pop((symbol, timeframe), {})
        if len(known) > 2 * KEPT:  # what has left the memory since
            known = {start: known[start] for start in sorted(known)[-KEPT:]}
        items = []
        for one in candles:
            start_ns = one.candle.start_ns
            entry = known.get(start_ns)
            if entry is None or entry[0] is not one:
                entry = known[start_ns] = (one, _written(one))
            items.append(entry[1])
        self._series[(symbol, timeframe)] = known
        if len(self._series) > self._most_series:
            self._series.popitem(last=False)
        return items


def _written(stored: StoredCandle) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(item(stored.candle, stored)))
