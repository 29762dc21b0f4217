"""What every source of past market data looks like. It fails as live feeds do (`feeds/live.py`)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import isfinite
from typing import Literal, Protocol

from market_data_engine.feeds.events import Print
from market_data_engine.feeds.live import FeedError

#: What can be asked for; a policy names the providers of each.
Capability = Literal["bars_1m", "bars_1d", "trades"]
BarLength = Literal["1m", "1d"]

#: Waited for before each request: whoever gives it keeps the provider's rate limit.
Permit = Callable[[], Awaitable[None]]


class ProviderDeclinedError(FeedError):
    """The question has no answer here (an unknown symbol, a range that isn't kept). The provider
    is sound: ask another one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`start_ns` is the vendor's: of a day it may be midnight at the exchange."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    #: None when the vendor doesn't say.
    vwap: float | None
    trades: int | None

    @property
    def is_sound(self) -> bool:
        prices = (self.open, self.high, self.low, self.close)
        return (
            all(isfinite(price) and price > 0 for price in prices)
            and self.low <= min(prices)
            and self.high >= max(prices)
            and isfinite(self.volume)
            and self.volume >= 0
            and (self.vwap is None or (isfinite(self.vwap) and self.vwap >= 0))
            and (self.trades is None or self.trades >= 0)
        )


class HistoryProvider(Protocol):
    """Ranges exclude their end. Every method raises a FeedError and nothing else.

    What of an answer makes no sense is left out of it and counted.
    """

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def usual_name(self, symbol: str) -> str:
        """What an unmapped symbol is called there. All else is asked for by their names."""
        ...

    async def bars(self, symbol: str, length: BarLength, start_ns: int, end_ns: int) -> list[Bar]:
        """Oldest first, each start once."""
        ...

    async def trades(self, symbol: str, start_ns: int, end_ns: int) -> list[Print]:
        """In time order. Raises ProviderDeclinedError without that capability."""
        ...

    async def close(self) -> None: ...
