"""Equity over time: cash plus positions, marked at each candle's close.

A symbol without candles is marked at the prices of its own executions, and gives points there.
https://en.wikipedia.org/wiki/Mark-to-market_accounting
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from math import inf

from shared.metrics.executions import Fill, Point
from shared.trading.amounts import ZERO, exactly, measured

#: When each close was known (the candle's end, microseconds), and the close; oldest first.
Closes = Sequence[tuple[int, float]]


@exactly
def equity_curve(
    capital: Decimal,
    fills: Sequence[Fill],
    closes: Mapping[str, Closes],
) -> list[Point]:
    """From the capital before the first fill to the last fill or close, whichever is later.

    Empty without fills. Where market time goes back from one fill to the next, a period was
    replayed again: the curve follows the fills, and its times go back with them.
    """
    if not fills:
        return []
    book = _Book(capital)
    points = [Point(fills[0].at_us, capital)]
    for stretch, end_us in _stretches(fills):
        points.extend(_stretch_points(book, stretch, closes, end_us))
    return points


class _Book:
    """Cash, positions, and the last price of each."""

    def __init__(self, cash: Decimal) -> None:
        self._cash = cash
        self._qty: dict[str, Decimal] = {}
        self._price: dict[str, Decimal] = {}

    @property
    def symbols(self) -> list[str]:
        return list(self._qty)

    @property
    def equity(self) -> Decimal:
        return sum((qty * self._price[symbol] for symbol, qty in self._qty.items()), self._cash)

    def fill(self, fill: Fill) -> None:
        self._cash -= fill.qty * fill.price + fill.fee
        self._price[fill.symbol] = fill.price
        qty = self._qty.get(fill.symbol, ZERO) + fill.qty
        if qty:
            self._qty[fill.symbol] = qty
        else:
            del self._qty[fill.symbol]

    def mark(self, symbol: str, close: float) -> None:
        if symbol in self._qty:
            self._price[symbol] = measured(close)


def _stretches(fills: Sequence[Fill]) -> Iterator[tuple[Sequence[Fill], float]]:
    """Runs of fills whose times don't go back, each with the time that it reaches to."""
    breaks = [n for n, (a, b) in enumerate(pairwise(fills), 1) if b.at_us < a.at_us]
    for start, end in pairwise([0, *breaks, len(fills)]):
        stretch = fills[start:end]
        yield stretch, inf if end == len(fills) else stretch[-1].at_us


def _stretch_points(
    book: _Book, stretch: Sequence[Fill], closes: Mapping[str, Closes], end_us: float
) -> Iterator[Point]:
    symbols = {fill.symbol for fill in stretch}.union(book.symbols)
    marks = [
        (at_us, symbol, close)
        for symbol in sorted(symbols)
        for at_us, close in closes.get(symbol, ())
        if stretch[0].at_us < at_us <= end_us
    ]
    # A fill at the very end of a candle is one of the next: the end is exclusive.
    marks.sort(key=lambda mark: mark[0])
    done = 0
    for number, (at_us, symbol, close) in enumerate(marks):
        while done < len(stretch) and stretch[done].at_us < at_us:
            book.fill(stretch[done])
            done += 1
            if stretch[done - 1].symbol not in closes:
                yield Point(stretch[done - 1].at_us, book.equity)
        book.mark(symbol, close)
        if number + 1 == len(marks) or marks[number + 1][0] != at_us:
            yield Point(at_us, book.equity)
    for fill in stretch[done:]:
        book.fill(fill)
        yield Point(fill.at_us, book.equity)
