"""Rows of market files in time order, as columns of equal length."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TradeColumns:
    symbols: list[str]
    #: Index into `symbols`, print by print.
    symbol_index: list[int]
    at_ns: list[int]
    price: list[float]
    size: list[float]

    def __len__(self) -> int:
        return len(self.at_ns)


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """Each row has both sides; price and size of one without a quote are 0."""

    symbols: list[str]
    #: Index into `symbols`, quote by quote.
    symbol_index: list[int]
    at_ns: list[int]
    bid: list[float]
    ask: list[float]
    bid_size: list[float]
    ask_size: list[float]

    def __len__(self) -> int:
        return len(self.at_ns)


@dataclass(frozen=True, slots=True)
class HaltColumns:
    """When trading in a symbol is halted, and when it may go on."""

    symbols: list[str]
    at_ns: list[int]
    halted: list[bool]

    def __len__(self) -> int:
        return len(self.at_ns)


@dataclass(frozen=True, slots=True)
class MarketColumns:
    """Prints and quotes of one stretch of time; at least one row. All of one time are in the
    same stretch, where there are quotes."""

    trades: TradeColumns
    quotes: QuoteColumns | None = None
    halts: HaltColumns | None = None

    @property
    def times(self) -> tuple[list[int], ...]:
        """The columns at_ns that aren't empty."""
        others = (each.at_ns for each in (self.quotes, self.halts) if each is not None)
        return tuple(each for each in (self.trades.at_ns, *others) if each)

    @property
    def first_ns(self) -> int:
        return min(each[0] for each in self.times)

    @property
    def last_ns(self) -> int:
        return max(each[-1] for each in self.times)

    def __len__(self) -> int:
        return sum(map(len, self.times))


NO_TRADES = TradeColumns([], [], [], [], [])
NO_HALTS = HaltColumns([], [], [])
NO_QUOTES = QuoteColumns([], [], [], [], [], [], [])
