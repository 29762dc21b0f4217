"""The slice of the tape that is being read: what came since the last strategy mark. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from shared.models.market import Candle
from strategy_workers.runtime.market import Series


class Slice:
    def __init__(self) -> None:
        #: Entry id of the slice's market mark; None before it.
        self.market_mark: str | None = None
        #: By series: place in the slice, candle.
        self._candles: defaultdict[Series, list[tuple[int, Candle]]] = defaultdict(list)
        self._count = 0

    def add(self, candles: Sequence[Candle]) -> None:
        for candle in candles:
            self._candles[candle.symbol, candle.timeframe].append((self._count, candle))
            self._count += 1

    @property
    def is_empty(self) -> bool:
        return not self._count

    def candles(self, series: Sequence[Series]) -> list[Candle]:
        """Those of `series`, in the order of the tape."""
        if not self._candles:
            return []
        found = [placed for one in series for placed in self._candles.get(one, ())]
        found.sort(key=lambda placed: placed[0])
        return [candle for _, candle in found]

    def clear(self) -> None:
        self.market_mark = None
        self._candles.clear()
        self._count = 0
