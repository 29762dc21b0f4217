"""A shard's market: time, last prices, and the matching of prints against working orders."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import itemgetter

from order_processor.shards.clock import WallClock, moment, nanoseconds
from order_processor.shards.feed import Prints
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import BooksKey, LastPrice
from shared.candles.calendar import HoursSpan
from shared.models.identifiers import Symbol
from shared.models.market import TimeMark, Trades
from shared.redis.streams import position
from shared.trading.amounts import measured, measured_size
from shared.trading.books import Books
from shared.trading.changes import Change, WorkingOrder
from shared.trading.matching import NOTHING_WORKS, Reach
from shared.trading.paper import Print

_NEVER_NS = 1 << 63
#: The wall clock ends an order so long after its time: a live market's last prints before it, and
#: the mark that ends the order, come within this time.
_CLOCK_GRACE_NS = 2_000_000_000


class Market:
    """Which books have something at stake in which symbol, and what the tape says about it."""

    def __init__(
        self,
        wall: WallClock,
        sessions: Sessions,
        last_prices: dict[Symbol, LastPrice],
        market_time_ns: int | None,
    ) -> None:
        self._wall = wall
        self._sessions = sessions
        self.last_prices = last_prices
        #: Symbols whose last price is not stored yet.
        self.moved_symbols: set[Symbol] = set()
        #: The last prices of an earlier run are to be deleted.
        self.forgotten = False
        #: None when the wall clock is the time; 0 in a paced run before its first print.
        self.time_ns = market_time_ns
        self._workers: dict[Symbol, dict[BooksKey, Books]] = {}
        self._reach: dict[Symbol, Reach] = {}
        self._exchange_of: dict[Symbol, str] = {}
        self.exchanges: set[str] = set()
        #: Of the symbols that orders work in, and when the first of these hours ends.
        self._hours: dict[Symbol, HoursSpan] = {}
        self._hours_until_ns = 0
        #: When the next order of some books ends, of those that have an end.
        self._ends: dict[BooksKey, tuple[int, Books]] = {}
        self._next_expiry_ns = _NEVER_NS

    # --- time and prices ---------------------------------------------------------------------

    def now(self) -> datetime:
        return moment(self.time_ns) if self.time_ns else self._wall()

    def price_of(self, symbol: Symbol) -> Decimal | None:
        last = self.last_prices.get(symbol)
        return None if last is None else measured(last.price)

    def begin_run(self, *, paced: bool) -> list[tuple[BooksKey, Books, Change]]:
        self.time_ns = 0 if paced else None
        self.last_prices.clear()
        self.moved_symbols.clear()
        self.forgotten = True
        affected = {key: books for each in self._workers.values() for key, books in each.items()}
        changes = [
            (key, books, change)
            for key, books in sorted(affected.items(), key=itemgetter(0))
            for change in books.forget_prints()
        ]
        self._reach.clear()
        self._hours.clear()
        self._hours_until_ns = 0
        return changes

    def end_run(self) -> None:
        self.time_ns = None

    def take_time(self, mark: TimeMark) -> None:
        self.time_ns = mark.at_ns if mark.paced else None

    def take_prices(self, entry_id: str, prints: Prints) -> None:
        at_ns = prints.trades.at_ns[-1]
        for symbol, price in prints.last.items():
            self.last_prices[symbol] = LastPrice(price, at_ns, entry_id)
        self.moved_symbols.update(prints.last)
        if self.time_ns is not None:
            self.time_ns = at_ns

    # --- who waits for what ------------------------------------------------------------------

    def exchange_of(self, symbol: Symbol) -> set[str]:
        """At most one."""
        exchange = self._exchange_of.get(symbol)
        return set() if exchange is None else {exchange}

    def list_symbol(self, symbol: Symbol, exchange: str) -> None:
        """Where it is traded; before orders in it work."""
        self._exchange_of[symbol] = exchange
        self.exchanges.add(exchange)

    def watch(self, key: BooksKey, books: Books, symbol: Symbol) -> None:
        """Working orders of `books` in `symbol` changed."""
        self._reach.pop(symbol, None)
        self._reckon_expiry(key, books)
        if symbol not in self._workers:
            self._hours_until_ns = 0
        workers = self._workers.setdefault(symbol, {})
        if books.reach(symbol) == NOTHING_WORKS:
            workers.pop(key, None)
            if not workers:
                del self._workers[symbol]
        else:
            workers[key] = books

    def _reach_of(self, symbol: Symbol) -> Reach:
        reach = self._reach.get(symbol)
        if reach is None:
            reach = NOTHING_WORKS
            regular = self._hours[symbol].regular
            for books in self._workers.get(symbol, {}).values():
                reach = reach.combined(books.reach(symbol, regular=regular))
            self._reach[symbol] = reach
        return reach

    def _reckon_expiry(self, key: BooksKey, books: Books) -> None:
        end = books.next_expiry()
        if end is not None:
            self._ends[key] = (nanoseconds(end), books)
        elif self._ends.pop(key, None) is None:
            return
        self._next_expiry_ns = min((end_ns for end_ns, _ in self._ends.values()), default=_NEVER_NS)

    def expiry_wait_s(self) -> float | None:
        """Until the wall clock should end an order; None where the tape is the time."""
        if self.time_ns is not None or self._next_expiry_ns == _NEVER_NS:
            return None
        due_ns = self._next_expiry_ns + _CLOCK_GRACE_NS
        return max(0.0, (due_ns - nanoseconds(self._wall())) / 1e9)

    # --- regular and extended hours ----------------------------------------------------------

    def _take_hours(self, at_ns: int) -> None:
        """Which prints count for whom, from `at_ns` on."""
        self._hours_until_ns = _NEVER_NS
        for symbol, workers in self._workers.items():
            span = self._sessions.span(self._exchange_of.get(symbol), at_ns)
            self._hours_until_ns = min(self._hours_until_ns, span.until_ns)
            if span == self._hours.get(symbol):
                continue
            self._hours[symbol] = span
            self._reach.pop(symbol, None)
            last = self.last_prices.get(symbol)
            # Else a process before this one had begun these hours.
            if span.regular and last is not None and last.at_ns < span.from_ns:
                for books in workers.values():
                    books.open_regular_hours(symbol)

    def _closing_print(
        self, trades: Trades | None, end: int, now: datetime, working: WorkingOrder
    ) -> Print | None:
        """The last one in regular hours since the order was taken, also among the first `end` of
        `trades`, which are no last prices yet."""
        symbol, expires_at = working.order.symbol, working.order.expires_at
        assert expires_at is not None, "it waits for the close"
        before_ns = nanoseconds(expires_at) - 1
        since_ns = self._sessions.span(self._exchange_of.get(symbol), before_ns).from_ns
        if trades is not None and symbol in trades.symbols:
            index = trades.symbols.index(symbol)
            for place in range(end - 1, -1, -1):
                if trades.symbol_index[place] == index:
                    if trades.at_ns[place] < since_ns:
                        return None
                    return Print(measured(trades.price[place]), None, now)
        last = self.last_prices.get(symbol)
        if last is None or last.at_ns < since_ns:
            return None
        if position(last.tape_id) <= position(working.tape_id):
            return None
        return Print(measured(last.price), None, now)

    # --- what happens ------------------------------------------------------------------------

    def expire(
        self, at_ns: int, trades: Trades | None = None, place: int = 0
    ) -> Iterator[tuple[BooksKey, Books, Change]]:
        """End the orders whose time has come by `at_ns`, where all before `place` was met."""
        if self._next_expiry_ns > at_ns:
            return
        now = moment(at_ns)
        closing_print = partial(self._closing_print, trades, place, now)
        for key, (_, books) in sorted(self._ends.items(), key=itemgetter(0)):
            for change in books.expire(now, closing_print):
                yield key, books, change

    def match(self, trades: Trades) -> Iterator[tuple[BooksKey, Books, Change]]:
        """Fill working orders from the prints, one after another in their order.

        The consumer calls `watch` for each change before it takes the next one.
        """
        watched = {
            index: symbol for index, symbol in enumerate(trades.symbols) if symbol in self._workers
        }
        ends = self._next_expiry_ns <= trades.at_ns[-1]
        if not watched and not ends:
            return
        price_of, at_ns = trades.price, trades.at_ns
        for place, index in enumerate(trades.symbol_index):
            if ends and at_ns[place] >= self._next_expiry_ns:
                yield from self.expire(at_ns[place], trades, place)
            symbol = watched.get(index)
            if symbol is None:
                continue
            if at_ns[place] >= self._hours_until_ns:
                self._take_hours(at_ns[place])
            price = price_of[place]
            fresh, falling_to, rising_to = self._reach.get(symbol) or self._reach_of(symbol)
            if fresh or price <= falling_to or price >= rising_to:
                yield from self._meet(symbol, price, at_ns[place], trades.size[place])

    def _meet(
        self, symbol: Symbol, price: float, at_ns: int, size: float
    ) -> Iterator[tuple[BooksKey, Books, Change]]:
        at = moment(at_ns) if self.time_ns is not None else self._wall()
        exact, exact_size = measured(price), measured_size(size)
        regular = self._hours[symbol].regular
        for key, books in sorted(self._workers.get(symbol, {}).items(), key=itemgetter(0)):
            for change in books.meet_print(symbol, exact, at, exact_size, regular=regular):
                yield key, books, change
        # Orders that had waited for their first print rest from now on.
        self._reach.pop(symbol, None)
