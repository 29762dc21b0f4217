"""What an order processor does for a margin account besides its orders: interest and borrow fees by
the day, margin calls, liquidation. Pure; docs/margin.md has the rules."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal

import msgspec

from shared.models.identifiers import Symbol
from shared.trading.amounts import measured
from shared.trading.books import Books
from shared.trading.changes import CashEntered, OrderChanged
from shared.trading.margin_calls import MarginRules, close_for, look
from shared.trading.terms import Instrument
from strategy_workers.runtime.desk import market_time

_DAY_NS = 86_400 * 1_000_000_000


class MarginWatch:
    def __init__(self, instruments: Mapping[Symbol, Instrument]) -> None:
        self._instruments = instruments
        self._rules = MarginRules()
        self._prices: dict[Symbol, Decimal] = {}
        #: Up to which UTC day of market time it was paid for; None before the first step.
        self._paid_until: date | None = None
        #: When, and by how much cash went down.
        self.charges: list[tuple[datetime, Decimal]] = []
        self.calls = 0
        self.liquidations = 0

    def price_of(self, symbol: Symbol) -> Decimal | None:
        return self._prices.get(symbol)

    def take_prices(self, last: Mapping[str, float]) -> None:
        for symbol, price in last.items():
            self._prices[Symbol(symbol)] = measured(price)

    def come_to(self, at_ns: int, books: Books) -> None:
        """Before anything of that time happens."""
        day = market_time(at_ns // _DAY_NS * _DAY_NS).date()
        days = 0 if self._paid_until is None else (day - self._paid_until).days
        self._paid_until = day
        if days <= 0:
            return
        fees = {symbol: each.borrow_fee_bps for symbol, each in self._instruments.items()}
        midnight = datetime.combine(day, time(0), UTC)
        charged: list[CashEntered] = books.carry(days, fees, midnight)
        self.charges += [(midnight, -each.entry.amount) for each in charged]

    def check(self, at_ns: int, books: Books) -> list[OrderChanged]:
        """After each step of the market; what it changed."""
        now = market_time(at_ns)
        seen = look(books, self._rules, self.price_of, now)
        if seen is None:
            return []
        self.calls += seen.event == "margin_called"
        books.risk.state = msgspec.structs.replace(books.risk.state, margin_call=seen.call)
        if not seen.due or seen.call is None:
            return []
        done = close_for(books, seen.call, self._rules, self._instruments, self.price_of, now, "")
        if done is None:
            return []
        if done.closing:
            self.liquidations += 1
            books.risk.state = msgspec.structs.replace(
                books.risk.state, flattened=done.number, margin_call=done.call
            )
        return [*done.cancelled, *done.closing]
