"""Where completed candles are kept for good."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from market_data_engine.store.stored import StoredCandle
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe


class StoreAwayError(Exception):
    """The store can't be reached, or isn't ready for us: the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Series:
    """The candles of one symbol and timeframe; times are starts."""

    symbol: str
    timeframe: Timeframe
    candles: int
    first_ns: int
    last_ns: int
    #: In the order of the alphabet.
    sources: list[str]


def in_order(series: Iterable[Series]) -> list[Series]:
    return sorted(series, key=lambda one: (one.symbol, TIMEFRAMES.index(one.timeframe)))


class CandleStore(Protocol):
    """Blocking: call it from a thread. Times are nanoseconds, ranges exclude their end.

    Every method raises StoreAwayError while the store is away.
    """

    def write(self, candles: Sequence[StoredCandle]) -> None:
        """Writing the same candle again changes nothing, also not since when it is known. Of two
        that start together the later one counts, within a call as well as between calls.

        Whoever doesn't hear that it succeeded must call it again: some may be stored.
        """
        ...

    def page(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        start_ns: int,
        end_ns: int | None,
        limit: int,
    ) -> list[StoredCandle]:
        """The first `limit` candles that start in the range, oldest first."""
        ...

    def series(self, symbol: str | None) -> list["Series"]:
        """What there is, of one symbol or of all: by symbol, then small timeframes first."""
        ...

    def last(
        self, symbol: Symbol, timeframe: Timeframe, before_ns: int | None, limit: int
    ) -> list[StoredCandle]:
        """The last `limit` candles that start before `before_ns`, oldest first."""
        ...
