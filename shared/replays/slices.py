"""Cutting a stream of prints into slices, each of which ends with a time mark. Pure.

Where a slice ends depends on the prints alone, never on how they came in batches.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from operator import itemgetter

from shared.candles.timeframes import MINUTE_NS
from shared.market_files.trades import TradeColumns
from shared.models.identifiers import Symbol
from shared.models.market import Quotes, Trades
from shared.replays.interleaving import interleaved


@dataclass(frozen=True, slots=True)
class Slice:
    """Prints and quotes after the previous mark, all before `mark_ns`."""

    trades: Trades
    mark_ns: int
    quotes: Quotes | None = None

    @property
    def first_ns(self) -> int:
        return self.trades.at_ns[0]

    @property
    def last_ns(self) -> int:
        return self.trades.at_ns[-1]

    def entries(self) -> Iterator[Trades | Quotes]:
        """As they go on the tape."""
        return interleaved(self.trades, self.quotes)

    def by_symbol(self) -> Iterator[tuple[Symbol, list[int], list[float], list[float]]]:
        """Columns at_ns, price and size of each symbol."""
        trades = self.trades
        if len(trades.symbols) == 1:
            yield trades.symbols[0], trades.at_ns, trades.price, trades.size
            return
        index = trades.symbol_index
        order = sorted(range(len(index)), key=index.__getitem__)  # stable: time order stays
        pick = itemgetter(*order)
        at_ns, price, size = pick(trades.at_ns), pick(trades.price), pick(trades.size)
        sorted_index = pick(index)
        begin = 0
        for number, symbol in enumerate(trades.symbols):
            end = bisect_right(sorted_index, number, begin)
            yield symbol, list(at_ns[begin:end]), list(price[begin:end]), list(size[begin:end])
            begin = end


class Slicer:
    """A slice ends with its minute, with its step (if that is shorter), or when it is full.

    A full one ends after a print whose successor is later, so it may hold more than
    `max_trades` when many prints share a time.
    """

    def __init__(self, max_trades: int, step_ns: int = MINUTE_NS) -> None:
        self._max_trades = max_trades
        self._step_ns = min(step_ns, MINUTE_NS)
        self._symbols: list[Symbol] = []
        self._rest = TradeColumns([], [], [], [], [])

    def boundary_after(self, at_ns: int) -> int:
        """The first end of a minute or step after `at_ns`."""
        minute = at_ns - at_ns % MINUTE_NS + MINUTE_NS
        return min(minute, at_ns - at_ns % self._step_ns + self._step_ns)

    def boundary_before(self, at_ns: int) -> int:
        """The last start of a minute or step at or before `at_ns`."""
        return max(at_ns - at_ns % MINUTE_NS, at_ns - at_ns % self._step_ns)

    def add(self, batch: TradeColumns) -> Iterator[Slice]:
        """The slices that end within the prints so far."""
        rest = self._rest
        index = self._renumbered(batch)
        columns = TradeColumns(
            [],
            rest.symbol_index + index,
            rest.at_ns + batch.at_ns,
            rest.price + batch.price,
            rest.size + batch.size,
        )
        done = yield from self._cut(columns, final=False)
        self._rest = _part(columns, done, len(columns))

    def finish(self) -> Iterator[Slice]:
        """The slices of the prints that are left; none come after them."""
        rest, self._rest = self._rest, TradeColumns([], [], [], [], [])
        yield from self._cut(rest, final=True)

    def _renumbered(self, batch: TradeColumns) -> list[int]:
        """The batch's symbol indexes as indexes into the run's symbols."""
        for symbol in batch.symbols:
            if symbol not in self._symbols:
                self._symbols.append(Symbol(symbol))
        numbers = [self._symbols.index(Symbol(symbol)) for symbol in batch.symbols]
        if numbers == list(range(len(numbers))):
            return batch.symbol_index
        return [numbers[number] for number in batch.symbol_index]

    def _cut(self, columns: TradeColumns, *, final: bool) -> Generator[Slice, None, int]:
        at_ns, count = columns.at_ns, len(columns)
        begin = 0
        while begin < count:
            boundary = self.boundary_after(at_ns[begin])
            end = bisect_left(at_ns, boundary, begin)
            full = begin + self._max_trades
            if full < end:
                full = bisect_right(at_ns, at_ns[full - 1], full, end)
            if full < end:
                yield self._slice(columns, begin, full, at_ns[full - 1] + 1)
                begin = full
            elif end < count or final:
                yield self._slice(columns, begin, end, boundary)
                begin = end
            else:
                break  # what is to come may belong to this slice
        return begin

    def _slice(self, columns: TradeColumns, begin: int, end: int, mark_ns: int) -> Slice:
        index = columns.symbol_index[begin:end]
        used = sorted(set(index))
        if len(used) == 1:
            index = [0] * len(index)
        elif used != list(range(len(used))):
            number = {old: new for new, old in enumerate(used)}
            index = [number[old] for old in index]
        return Slice(
            Trades(
                symbols=[self._symbols[old] for old in used],
                symbol_index=index,
                at_ns=columns.at_ns[begin:end],
                price=columns.price[begin:end],
                size=columns.size[begin:end],
            ),
            mark_ns,
        )


def _part(columns: TradeColumns, begin: int, end: int) -> TradeColumns:
    return TradeColumns(
        [],
        columns.symbol_index[begin:end],
        columns.at_ns[begin:end],
        columns.price[begin:end],
        columns.size[begin:end],
    )
