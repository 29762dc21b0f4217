"""Equity over time: cash plus positions, marked at each candle's close.

A symbol without candles is marked at the prices of its own executions, and gives points there.
https://en.wikipedia.org/wiki/Mark-to-market_accounting
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from math import inf
from typing import NamedTuple

from shared.metrics.executions import CashMove, Fill, Point, SplitMove
from shared.trading.amounts import ZERO, exactly, measured

Movement = Fill | CashMove | SplitMove
#: When each close was known (the candle's end, microseconds), and the close; oldest first.
Closes = Sequence[tuple[int, float]]


class Worth(NamedTuple):
    """Equity at a moment, and what of it was paid in until then, the capital included."""

    at_us: int
    equity: Decimal
    paid_in: Decimal


def equity_curve(
    capital: Decimal, movements: Sequence[Movement], closes: Mapping[str, Closes]
) -> list[Point]:
    return [Point(at_us, equity) for at_us, equity, _ in worth(capital, movements, closes)]


@exactly
def worth(
    capital: Decimal, movements: Sequence[Movement], closes: Mapping[str, Closes]
) -> list[Worth]:
    """From the capital before the first movement to the last one or close, whichever is later.

    Empty without movements. Where market time goes back from one to the next, a period was
    replayed again: the curve follows the movements, and its times go back with them.
    """
    if not movements:
        return []
    book = _Book(capital)
    points = [Worth(movements[0].at_us, capital, capital)]
    for stretch, end_us in _stretches(movements):
        points.extend(_stretch_points(book, stretch, closes, end_us))
    return points


class _Book:
    """Cash, positions, and the last price of each."""

    def __init__(self, cash: Decimal) -> None:
        self._cash = cash
        self._paid_in = cash
        self._qty: dict[str, Decimal] = {}
        self._price: dict[str, Decimal] = {}

    @property
    def symbols(self) -> list[str]:
        return list(self._qty)

    def worth(self, at_us: int) -> Worth:
        held = (qty * self._price[symbol] for symbol, qty in self._qty.items())
        return Worth(at_us, sum(held, self._cash), self._paid_in)

    def apply(self, movement: Movement) -> None:
        if isinstance(movement, Fill):
            self._fill(movement)
            return
        if isinstance(movement, SplitMove):
            self._hold(movement.symbol, movement.qty, movement.price)
            return
        self._cash += movement.amount
        if movement.is_flow:
            self._paid_in += movement.amount

    def _fill(self, fill: Fill) -> None:
        self._cash -= fill.qty * fill.price + fill.fee
        self._hold(fill.symbol, self._qty.get(fill.symbol, ZERO) + fill.qty, fill.price)

    def _hold(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        self._price[symbol] = price
        if qty:
            self._qty[symbol] = qty
        else:
            self._qty.pop(symbol, None)

    def mark(self, symbol: str, close: float) -> None:
        if symbol in self._qty:
            self._price[symbol] = measured(close)


def _stretches(movements: Sequence[Movement]) -> Iterator[tuple[Sequence[Movement], float]]:
    """Runs of movements whose times don't go back, each with the time that it reaches to."""
    breaks = [n for n, (a, b) in enumerate(pairwise(movements), 1) if b.at_us < a.at_us]
    for start, end in pairwise([0, *breaks, len(movements)]):
        stretch = movements[start:end]
        yield stretch, inf if end == len(movements) else stretch[-1].at_us


def _stretch_points(
    book: _Book, stretch: Sequence[Movement], closes: Mapping[str, Closes], end_us: float
) -> Iterator[Worth]:
    symbols = {each.symbol for each in stretch if isinstance(each, Fill)}.union(book.symbols)
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
            movement = stretch[done]
            book.apply(movement)
            done += 1
            if isinstance(movement, CashMove) or movement.symbol not in closes:
                yield book.worth(movement.at_us)
        book.mark(symbol, close)
        if number + 1 == len(marks) or marks[number + 1][0] != at_us:
            yield book.worth(at_us)
    for movement in stretch[done:]:
        book.apply(movement)
        yield book.worth(movement.at_us)
