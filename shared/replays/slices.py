"""Cutting a stream of prints and quotes into slices, each of which ends with a time mark. Pure.

Where a slice ends depends on these alone, never on how they came in batches.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from operator import itemgetter

from shared.candles.calendar import NEVER_NS
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import (
    NO_HALTS,
    NO_QUOTES,
    NO_TRADES,
    HaltColumns,
    MarketColumns,
    QuoteColumns,
    TradeColumns,
)
from shared.models.identifiers import Symbol
from shared.models.market import Halts, Quotes, Trades
from shared.replays.interleaving import interleaved


@dataclass(frozen=True, slots=True)
class Slice:
    """Prints and quotes after the previous mark, all before `mark_ns`."""

    trades: Trades
    mark_ns: int
    quotes: Quotes | None = None
    #: All of one time, which is the slice's first.
    halts: Halts | None = None

    @property
    def first_ns(self) -> int:
        others = (each.at_ns for each in (self.quotes, self.halts) if each is not None)
        return min(each[0] for each in (self.trades.at_ns, *others) if each)

    def entries(self) -> Iterator[Trades | Quotes | Halts]:
        """As they go on the tape."""
        if self.halts is not None:
            yield self.halts
        yield from interleaved(self.trades, self.quotes)

    def by_symbol(self) -> Iterator[tuple[Symbol, list[int], list[float], list[float]]]:
        """Columns at_ns, price and size of each symbol."""
        trades = self.trades
        if not trades.symbols:
            return
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

    def middles_of(
        self, symbols: Collection[str]
    ) -> Iterator[tuple[Symbol, list[int], list[float], list[float]]]:
        """Columns as of prints: the middle of each quote with both sides, without a size."""
        quotes = self.quotes
        if quotes is None or not symbols:
            return
        for number, symbol in enumerate(quotes.symbols):
            if symbol not in symbols:
                continue
            rows = [
                (at_ns, (bid + ask) / 2)
                for index, at_ns, bid, ask in zip(
                    quotes.symbol_index, quotes.at_ns, quotes.bid, quotes.ask, strict=True
                )
                if index == number and bid > 0 and ask > 0
            ]
            if rows:
                yield symbol, [row[0] for row in rows], [row[1] for row in rows], [0.0] * len(rows)


class Slicer:
    """A slice ends with its minute, with its step (if that is shorter), or when it is full.

    It ends before a halt or a resumption, too, so that these come first. A full one ends after a
    row whose successor is later, so it may hold more than `max_rows` when many prints and quotes
    share a time.
    """

    def __init__(self, max_rows: int, step_ns: int = MINUTE_NS) -> None:
        self._max_rows = max_rows
        self._step_ns = MINUTE_NS
        self.step(step_ns)
        self._symbols: list[Symbol] = []
        self._trades = NO_TRADES
        self._quotes = NO_QUOTES
        self._halts = NO_HALTS

    def step(self, step_ns: int) -> None:
        """Slices that are cut from now on end with steps of this length, too."""
        self._step_ns = min(step_ns, MINUTE_NS)

    def boundary_after(self, at_ns: int) -> int:
        """The first end of a minute or step after `at_ns`."""
        minute = at_ns - at_ns % MINUTE_NS + MINUTE_NS
        return min(minute, at_ns - at_ns % self._step_ns + self._step_ns)

    def boundary_before(self, at_ns: int) -> int:
        """The last start of a minute or step at or before `at_ns`."""
        return max(at_ns - at_ns % MINUTE_NS, at_ns - at_ns % self._step_ns)

    def add(self, batch: MarketColumns) -> Iterator[Slice]:
        """The slices that end within what has come so far."""
        trades, index = batch.trades, self._renumbered(batch.trades)
        self._trades = TradeColumns(
            [],
            self._trades.symbol_index + index,
            self._trades.at_ns + trades.at_ns,
            self._trades.price + trades.price,
            self._trades.size + trades.size,
        )
        if batch.quotes is not None:
            quotes, index = batch.quotes, self._renumbered(batch.quotes)
            rest = self._quotes
            self._quotes = QuoteColumns(
                [],
                rest.symbol_index + index,
                rest.at_ns + quotes.at_ns,
                rest.bid + quotes.bid,
                rest.ask + quotes.ask,
                rest.bid_size + quotes.bid_size,
                rest.ask_size + quotes.ask_size,
            )
        if batch.halts is not None:
            known = self._halts
            self._halts = HaltColumns(
                known.symbols + batch.halts.symbols,
                known.at_ns + batch.halts.at_ns,
                known.halted + batch.halts.halted,
            )
        yield from self._cut(final=False)

    def finish(self) -> Iterator[Slice]:
        """The slices of what is left; nothing comes after it."""
        yield from self._cut(final=True)

    def _renumbered(self, batch: TradeColumns | QuoteColumns) -> list[int]:
        """The batch's symbol indexes as indexes into the run's symbols."""
        for symbol in batch.symbols:
            if symbol not in self._symbols:
                self._symbols.append(Symbol(symbol))
        numbers = [self._symbols.index(Symbol(symbol)) for symbol in batch.symbols]
        if numbers == list(range(len(numbers))):
            return batch.symbol_index
        return [numbers[number] for number in batch.symbol_index]

    def _cut(self, *, final: bool) -> Iterator[Slice]:
        """What is cut off is no longer here."""
        trades, quotes = self._trades, self._quotes
        at_ns = trades.at_ns
        if quotes.at_ns or self._halts.at_ns:
            at_ns = sorted(trades.at_ns + quotes.at_ns + self._halts.at_ns)
        begin_trades = begin_quotes = 0
        for mark_ns in self._marks(at_ns, final=final):
            end_trades = bisect_left(trades.at_ns, mark_ns, begin_trades)
            end_quotes = bisect_left(quotes.at_ns, mark_ns, begin_quotes)
            yield Slice(
                self._cut_trades(begin_trades, end_trades),
                mark_ns,
                self._cut_quotes(begin_quotes, end_quotes),
                self._cut_halts(mark_ns),
            )
            begin_trades, begin_quotes = end_trades, end_quotes
        if begin_trades or begin_quotes:
            self._trades = _part_of_trades(trades, begin_trades, len(trades))
            self._quotes = _part_of_quotes(quotes, begin_quotes, len(quotes))

    def _marks(self, at_ns: list[int], *, final: bool) -> Iterator[int]:
        """When slices end."""
        begin, count = 0, len(at_ns)
        while begin < count:
            boundary = min(self.boundary_after(at_ns[begin]), self._halt_after(at_ns[begin]))
            end = bisect_left(at_ns, boundary, begin)
            full = begin + self._max_rows
            if full < end:
                full = bisect_right(at_ns, at_ns[full - 1], full, end)
            if full < end:
                yield at_ns[full - 1] + 1
                begin = full
            elif end < count or final:
                yield boundary
                begin = end
            else:
                break  # what is to come may belong to this slice

    def _halt_after(self, at_ns: int) -> int:
        return min((each for each in self._halts.at_ns if each > at_ns), default=NEVER_NS)

    def _cut_halts(self, mark_ns: int) -> Halts | None:
        """Those before the mark, of which there are no later ones in its slice."""
        halts = self._halts
        end = bisect_left(halts.at_ns, mark_ns)
        if not end:
            return None
        self._halts = HaltColumns(halts.symbols[end:], halts.at_ns[end:], halts.halted[end:])
        symbols = [Symbol(symbol) for symbol in halts.symbols[:end]]
        return Halts(symbols=symbols, at_ns=halts.at_ns[:end], halted=halts.halted[:end])

    def _cut_trades(self, begin: int, end: int) -> Trades:
        part = _part_of_trades(self._trades, begin, end)
        symbols, index = self._used(part.symbol_index)
        return Trades(
            symbols=symbols,
            symbol_index=index,
            at_ns=part.at_ns,
            price=part.price,
            size=part.size,
        )

    def _cut_quotes(self, begin: int, end: int) -> Quotes | None:
        if begin == end:
            return None
        part = _part_of_quotes(self._quotes, begin, end)
        symbols, index = self._used(part.symbol_index)
        return Quotes(
            symbols=symbols,
            symbol_index=index,
            at_ns=part.at_ns,
            bid=part.bid,
            ask=part.ask,
            bid_size=part.bid_size,
            ask_size=part.ask_size,
        )

    def _used(self, index: list[int]) -> tuple[list[Symbol], list[int]]:
        """The symbols of some rows, and the rows' indexes into these."""
        used = sorted(set(index))
        if len(used) == 1:
            index = [0] * len(index)
        elif used != list(range(len(used))):
            number = {old: new for new, old in enumerate(used)}
            index = [number[old] for old in index]
        return [self._symbols[old] for old in used], index


def _part_of_trades(columns: TradeColumns, begin: int, end: int) -> TradeColumns:
    return TradeColumns(
        [],
        columns.symbol_index[begin:end],
        columns.at_ns[begin:end],
        columns.price[begin:end],
        columns.size[begin:end],
    )


def _part_of_quotes(columns: QuoteColumns, begin: int, end: int) -> QuoteColumns:
    return QuoteColumns(
        [],
        columns.symbol_index[begin:end],
        columns.at_ns[begin:end],
        columns.bid[begin:end],
        columns.ask[begin:end],
        columns.bid_size[begin:end],
        columns.ask_size[begin:end],
    )
