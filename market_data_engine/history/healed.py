"""What a provider has told of a candle stands.

A live run may have missed some of the prints of such a candle, so it neither completes nor amends
over it, however late its prints come. Pure.
"""

from collections.abc import Iterable
from typing import Final

from market_data_engine.store.stored import StoredCandle
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

#: Longer than any grace for late prints: an older candle isn't made again by a live run.
_REMEMBERED_NS: Final = 2 * 3600 * 1_000_000_000


class HealedCandles:
    def __init__(self) -> None:
        self._by_key: dict[tuple[Symbol, Timeframe], dict[int, StoredCandle]] = {}
        #: Healed ones of which the run has a smaller candle amended since.
        self._outdated: dict[tuple[Symbol, int, int], None] = {}

    def note(self, candles: Iterable[StoredCandle]) -> None:
        """Before they are written: from now on the run leaves them alone."""
        for one in candles:
            if one.quality != "healed":
                continue
            of = self._by_key.setdefault((one.candle.symbol, one.candle.timeframe), {})
            of[one.candle.start_ns] = one
            oldest_ns = one.as_of_ns - _REMEMBERED_NS
            for start_ns in [at for at, kept in of.items() if kept.candle.end_ns < oldest_ns]:
                del of[start_ns]

    def forget(self, symbol: str) -> None:
        """A run on virtual time begins: its candles take the place of all that are stored."""
        for key in [key for key in self._by_key if key[0] == symbol]:
            del self._by_key[key]

    def standing(self, candle: Candle) -> StoredCandle | None:
        """The healed one of that interval."""
        return self._by_key.get((candle.symbol, candle.timeframe), {}).get(candle.start_ns)

    def outdate(self, candle: Candle) -> None:
        """A part of this healed one is another now: it has to be folded again."""
        self._outdated[(candle.symbol, candle.start_ns, candle.end_ns)] = None

    def outdated(self) -> list[tuple[Symbol, int, int]]:
        """(symbol, start, end) of each."""
        return list(self._outdated)

    def folded(self, outdated: Iterable[tuple[Symbol, int, int]]) -> None:
        """They are on the queue to be folded."""
        for one in outdated:
            self._outdated.pop(one, None)
