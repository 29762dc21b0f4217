"""Rates of exchange: what people set, and what pairs such as EURUSD trade at on the tape.

The newest of both that is not later than the time of the books counts, so a replay of an old day
has the rates of that day.
"""

from bisect import bisect_right, insort_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, text

from order_processor.shards.clock import moment
from order_processor.shards.state import BooksKey, LastPrice
from shared.models.cash import ForeignCashMarked
from shared.models.identifiers import Symbol
from shared.trading.amounts import ZERO, exactly, measured, plain, rounded
from shared.trading.books import Books
from shared.trading.exchange import Rate, RateOf

_NEWEST = text(
    """
    SELECT DISTINCT ON (currency, quote_currency) id, currency, quote_currency, rate, at
      FROM fx_rates WHERE at <= :now ORDER BY currency, quote_currency, at DESC, id DESC
    """
)
_SET = text(
    "SELECT id, currency, quote_currency, rate, at FROM fx_rates WHERE id > :seen ORDER BY id"
)
_at = attrgetter("at")


class SetRate(msgspec.Struct, frozen=True):
    id: int
    currency: str
    quote_currency: str
    rate: Decimal
    at: datetime


def read_rates(connection: Connection, seen: int) -> list[SetRate]:
    """Those after number `seen`. They become visible in the order of their numbers, because
    writers lock the table."""
    return [_set_rate(row) for row in connection.execute(_SET, {"seen": seen})]


def newest_rates(connection: Connection, now: datetime) -> "RateHistory":
    """Of each pair the one that holds at `now`."""
    history = RateHistory()
    history.add(_set_rate(row) for row in connection.execute(_NEWEST, {"now": now}))
    return history


def _set_rate(row: Row[Any]) -> SetRate:
    return SetRate(row.id, row.currency, row.quote_currency, plain(row.rate), row.at)


class RateHistory:
    """All that was set, of one process."""

    def __init__(self) -> None:
        #: Number of the last one.
        self.seen = 0
        #: By currency and what it is quoted in, oldest first.
        self._rates: dict[tuple[str, str], list[Rate]] = {}

    def add(self, rates: Iterable[SetRate]) -> None:
        """Of two for the same time, the later one counts."""
        for each in rates:
            self.seen = max(self.seen, each.id)
            known = self._rates.setdefault((each.currency, each.quote_currency), [])
            insort_right(known, Rate(each.rate, each.at), key=_at)

    def at(self, currency: str, quote: str, now: datetime) -> Rate | None:
        known = self._rates.get((currency, quote), [])
        place = bisect_right(known, now, key=_at)
        return known[place - 1] if place else None


def pairs(currency: str, base: str) -> tuple[Symbol, Symbol]:
    """Symbols whose prices tell the rate, the second one upside down."""
    return Symbol(currency + base), Symbol(base + currency)


#: Last prices as the tape tells them, and the time of the books.
Prices = Mapping[Symbol, LastPrice]


def rates_of(prices: Prices, now_of: Callable[[], datetime], history: RateHistory) -> RateOf:
    def newest(currency: str, base: str) -> Rate | None:
        now = now_of()
        direct, inverse = pairs(currency, base)
        found = [
            _traded(prices.get(direct)),
            history.at(currency, base, now),
            _inverted(_traded(prices.get(inverse))),
            _inverted(history.at(base, currency, now)),
        ]
        return max((each for each in found if each is not None), key=_at, default=None)

    return newest


def _traded(last: LastPrice | None) -> Rate | None:
    return None if last is None else Rate(measured(last.price), moment(last.at_ns))


@exactly
def _inverted(rate: Rate | None) -> Rate | None:
    return None if rate is None else Rate(plain(rounded(1 / rate.value)), rate.at)


def foreign_cash_of(books: Books) -> dict[str, ForeignCashMarked] | None:
    """Of each currency in which the books hold cash or positions; None without one."""
    symbols, held = books.foreign_symbols, books.foreign_cash
    if not symbols and not held:
        return None
    open_ones = {symbols[each] for each in symbols if (at := books.holdings.get(each)) and at.qty}
    return {
        each: ForeignCashMarked(held.get(each, ZERO), plain(books.rate_of(each)))
        for each in sorted({*held, *open_ones})
    }


class Abroad:
    """Books that are worth more or less when a rate moves."""

    def __init__(self) -> None:
        self._by_pair: dict[Symbol, set[BooksKey]] = {}

    def note(self, key: BooksKey, books: Books) -> None:
        for currency in {*books.foreign_cash, *books.foreign_symbols.values()}:
            for symbol in pairs(currency, books.account.base_currency):
                self._by_pair.setdefault(symbol, set()).add(key)

    def holders(self, symbol: Symbol) -> set[BooksKey]:
        return self._by_pair.get(symbol, set())

    def all(self) -> set[BooksKey]:
        return set().union(*self._by_pair.values())
