"""The candles of one run: a builder for each symbol."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from shared.candles.builder import CandleBuilder
from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle
from shared.replays.slices import Slice

_LEVEL = {timeframe: level for level, timeframe in enumerate(TIMEFRAMES)}

#: Symbol, times, prices and sizes.
_Columns = tuple[Symbol, list[int], list[float], list[float]]


class RunCandles:
    def __init__(
        self, calendars: Mapping[str, SessionCalendar], quoted: Collection[str] = ()
    ) -> None:
        """`quoted`: symbols whose candles are made of the middle of their quotes, and of prints
        only as long as nobody tells quotes of them."""
        self.quoted = frozenset(quoted)
        #: Those of them that have had a quote.
        self._with_quotes: set[Symbol] = set()
        self._builders = {
            Symbol(symbol): CandleBuilder(Symbol(symbol), calendar)
            for symbol, calendar in calendars.items()
        }
        #: The last print of each symbol that had any.
        self.last_prices: dict[Symbol, float] = {}
        #: Market time of the last mark; None before the first.
        self.now_ns: int | None = None
        #: Whether the run has ended.
        self.over = False

    def add(self, piece: Slice) -> list[Candle]:
        """Take in a slice and the mark that ends it; what that completes, in the tape's order."""
        return _in_order(self.take(piece) + self._advance(piece.mark_ns))

    def take(self, piece: Slice) -> list[Candle]:
        """Take in the prints and quotes of a slice alone, whose mark is still to come."""
        return self._take(self._columns(piece))

    def _columns(self, piece: Slice) -> Iterator[_Columns]:
        middles = list(piece.middles_of(self.quoted))
        self._with_quotes.update(each[0] for each in middles)
        prints = (each for each in piece.by_symbol() if each[0] not in self._with_quotes)
        yield from chain(prints, middles)

    def _take(self, columns: Iterable[_Columns]) -> list[Candle]:
        completed = []
        for symbol, at_ns, price, size in columns:
            completed += self._builders[symbol].add_trades(at_ns, price, size)
            self.last_prices[symbol] = price[-1]
        return _in_order(completed)

    def resume(self, forming: Iterable[Candle], pieces: Iterable[Slice]) -> list[Candle]:
        """Go on with what an earlier run has left forming of what was complete below, largest first
        for each symbol, and with the prints that came after; what these complete."""
        for candle in forming:
            if not self._builders[candle.symbol].put(candle):
                self.last_prices[candle.symbol] = candle.close
        columns = (each for piece in pieces for each in self._columns(piece))
        # The earlier run may have had other symbols.
        return self._take(each for each in columns if each[0] in self._builders)

    def changed_by(self, piece: Slice) -> list[Symbol]:
        """Symbols whose forming candles may be others with the slice, which was taken in."""
        quotes = () if piece.quotes is None else piece.quotes.symbols
        return [*piece.trades.symbols, *(each for each in quotes if each in self.quoted)]

    def advance(self, now_ns: int) -> list[Candle]:
        return _in_order(self._advance(now_ns))

    def _advance(self, now_ns: int) -> list[Candle]:
        self.now_ns = now_ns
        return [candle for builder in self._builders.values() for candle in builder.advance(now_ns)]

    def put(self, candle: Candle) -> bool:
        """Correct an interval of a run without asking prints again; see the builder's."""
        return self._builders[candle.symbol].put(candle)

    def count_late(self, candle: Candle) -> None:
        self._builders[candle.symbol].count_late(candle.timeframe)

    def next_end_ns(self) -> int | None:
        """When the first of the forming candles ends; None when there is none."""
        ends = [
            candle.end_ns
            for builder in self._builders.values()
            for timeframe in TIMEFRAMES
            if (candle := builder.forming(timeframe)) is not None
        ]
        return min(ends, default=None)

    def forming(self, symbol: str, timeframe: Timeframe) -> Candle | None:
        builder = self._builders.get(Symbol(symbol))
        return None if builder is None else builder.forming(timeframe)

    def has(self, symbol: str) -> bool:
        """Whether the run has had prints of the symbol."""
        return symbol in self.last_prices

    def counts(self) -> dict[str, int]:
        """Candles so far, the forming ones included, over all symbols."""
        totals: dict[str, int] = dict.fromkeys(TIMEFRAMES, 0)
        for builder in self._builders.values():
            for timeframe, count in builder.counts().items():
                totals[timeframe] += count
        return totals


def _in_order(candles: list[Candle]) -> list[Candle]:
    """By end, then small timeframes first, then by symbol."""
    candles.sort(key=lambda candle: (candle.end_ns, _LEVEL[candle.timeframe], candle.symbol))
    return candles
