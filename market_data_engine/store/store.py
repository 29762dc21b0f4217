"""Where completed candles are kept for good."""

from collections.abc import Sequence
from typing import Protocol

from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle


class CandleStore(Protocol):
    """Blocking: call it from a thread. Times are nanoseconds, ranges exclude their end."""

    def write(self, candles: Sequence[Candle], source: str) -> None:
        """All or none of them. Writing the same candle again changes nothing."""
        ...

    def page(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        start_ns: int,
        end_ns: int | None,
        limit: int,
    ) -> list[Candle]:
        """The first `limit` candles that start in the range, oldest first."""
        ...

    def last(
        self, symbol: Symbol, timeframe: Timeframe, before_ns: int | None, limit: int
    ) -> list[Candle]:
        """The last `limit` candles that start before `before_ns`, oldest first."""
        ...
