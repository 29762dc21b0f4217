"""A shard's market: time, last prices and quotes, and the matching of working orders."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import itemgetter

from order_processor.shards.batch import HaltRecord, MarketRecords, MarkRecord, QuoteRecord
from order_processor.shards.clock import WallClock, moment, nanoseconds
from order_processor.shards.feed import Prints
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import BooksKey, LastPrice, LastQuote, LastSeen
from shared.candles.calendar import HoursSpan
from shared.models.identifiers import Mode, Symbol
from shared.models.market import Halts as HaltsTold
from shared.models.market import Quotes, TimeMark, Trades
from shared.redis.streams import position
from shared.trading.amounts import measured, measured_size
from shared.trading.books import Books
from shared.trading.changes import Change, WorkingOrder
from shared.trading.corporate_actions import Split, price_after
from shared.trading.halts import Halts
from shared.trading.matching import NOTHING_WORKS, Reach
from shared.trading.quotes import Quote

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
        last_seen: LastSeen,
        market_time_ns: int | None,
    ) -> None:
        self._wall = wall
        self._sessions = sessions
        self.last_seen = last_seen
        #: Symbols whose last price, or quote, is not stored yet.
        self._moved_prices: set[Symbol] = set()
        self._moved_quotes: set[Symbol] = set()
        #: What is stored of an earlier run is to be deleted.
        self._forgotten = False
        #: Symbols that don't trade for now.
        self.halts = Halts(last_seen.halts)
        self._halts_moved = False
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

    def now(self, mode: Mode = "paper") -> datetime:
        """Live books know no time but the wall clock's, whatever runs on the tape."""
        return moment(self.time_ns) if self.time_ns and mode == "paper" else self._wall()

    def price_of(self, symbol: Symbol) -> Decimal | None:
        last = self.last_seen.prices.get(symbol)
        return None if last is None else measured(last.price)

    def price_for(self, books: Books, symbol: Symbol) -> Decimal | None:
        """Of what they hold: old shares, of before a split that failed there, have none."""
        return None if symbol in books.risk.stopped else self.price_of(symbol)

    def price_before(self, symbol: Symbol, at_ns: int) -> Decimal | None:
        """The last price, if it is of before `at_ns`."""
        last = self.last_seen.prices.get(symbol)
        return None if last is None or last.at_ns >= at_ns else measured(last.price)

    def split_price(self, symbol: Symbol, split: Split, at_ns: int) -> None:
        """Until its next print the symbol is worth what it was; once, because the price is of
        `at_ns` from then on. Quotes of before say nothing any more."""
        last = self.last_seen.prices.get(symbol)
        if last is None or last.at_ns >= at_ns:
            return
        price = float(price_after(measured(last.price), split))
        self.last_seen.prices[symbol] = LastPrice(price, at_ns, last.tape_id)
        self._moved_prices.add(symbol)
        quote = self.last_seen.quotes.get(symbol)
        if quote is not None:
            self.last_seen.quotes[symbol] = LastQuote(None, quote.tape_id, quote.at_ns)
            self._moved_quotes.add(symbol)

    def begin_run(self, *, paced: bool) -> list[tuple[BooksKey, Books, Change]]:
        arrived = self._arrive()
        self.time_ns = 0 if paced else None
        self.last_seen.prices.clear()
        self.last_seen.quotes.clear()
        self.halts.known.clear()
        self._halts_moved = True
        self._moved_prices.clear()
        self._moved_quotes.clear()
        self._forgotten = True
        affected = {key: books for each in self._workers.values() for key, books in each.items()}
        changes = [
            (key, books, change)
            for key, books in sorted(affected.items(), key=itemgetter(0))
            for change in books.forget_prints()
        ]
        self._reach.clear()
        self._hours.clear()
        self._hours_until_ns = 0
        return [*arrived, *changes]

    def end_run(self) -> list[tuple[BooksKey, Books, Change]]:
        arrived = self._arrive()
        self.time_ns = None
        return arrived

    def _arrive(self) -> list[tuple[BooksKey, Books, Change]]:
        """The time that requests take to the market was that of the run that ends here."""
        now = self.now()
        return [
            (key, books, change)
            for key, (_, books) in sorted(self._ends.items(), key=itemgetter(0))
            for change in books.arrive(now)
        ]

    def take_time(self, mark: TimeMark) -> None:
        self.time_ns = mark.at_ns if mark.paced else None

    def take_prices(self, entry_id: str, prints: Prints) -> None:
        at_ns = prints.trades.at_ns[-1]
        for symbol, price in prints.last.items():
            self.last_seen.prices[symbol] = LastPrice(price, at_ns, entry_id)
            self._halts_moved |= self.halts.reopens(symbol)
        self._moved_prices.update(prints.last)
        if self.time_ns is not None:
            self.time_ns = at_ns

    def seal(self) -> MarketRecords:
        """What is to be stored since the last time."""
        prices = []
        for symbol in self._moved_prices:
            price = self.last_seen.prices[symbol]
            prices.append(
                MarkRecord(symbol, measured(price.price), moment(price.at_ns), price.tape_id)
            )
        quotes = [
            QuoteRecord(symbol, *_numbers(last.quote), last.at_ns, last.tape_id)
            for symbol in self._moved_quotes
            if (last := self.last_seen.quotes[symbol])
        ]
        halts = None
        if self._halts_moved:
            halts = [HaltRecord(*each) for each in sorted(self.halts.known.items())]
        sealed = MarketRecords(self._forgotten, prices, quotes, halts)
        self._halts_moved = False
        self._moved_prices.clear()
        self._moved_quotes.clear()
        self._forgotten = False
        return sealed

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
            last = self.last_seen.prices.get(symbol)
            # Else a process before this one had begun these hours.
            if span.regular and last is not None and last.at_ns < span.from_ns:
                for books in workers.values():
                    books.open_regular_hours(symbol)

    def _closing_price(
        self, trades: Trades | None, end: int, working: WorkingOrder
    ) -> Decimal | None:
        """Of the last print in regular hours since the order was taken, also among the first `end`
        of `trades`, which are no last prices yet."""
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
                    return measured(trades.price[place])
        last = self.last_seen.prices.get(symbol)
        if last is None or last.at_ns < since_ns:
            return None
        if position(last.tape_id) <= position(working.tape_id):
            return None
        return measured(last.price)

    # --- what happens ------------------------------------------------------------------------

    def expire(
        self, at_ns: int, trades: Trades | None = None, place: int = 0
    ) -> Iterator[tuple[BooksKey, Books, Change]]:
        """End the orders whose time has come by `at_ns`, where all before `place` was met."""
        if self._next_expiry_ns > at_ns:
            return
        now = moment(at_ns)
        closing_price = partial(self._closing_price, trades, place)
        for key, (_, books) in sorted(self._ends.items(), key=itemgetter(0)):
            for change in books.expire(now, closing_price):
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
            reopening = False
            if symbol in self.halts.known:
                reopening = self._reopen(symbol)
                if not reopening:
                    continue
            fresh, falling_to, rising_to = self._reach.get(symbol) or self._reach_of(symbol)
            if fresh or price <= falling_to or price >= rising_to:
                yield from self._meet(
                    symbol, price, at_ns[place], trades.size[place], reopening=reopening
                )

    def _meet(
        self, symbol: Symbol, price: float, at_ns: int, size: float, *, reopening: bool
    ) -> Iterator[tuple[BooksKey, Books, Change]]:
        at = self._moment(at_ns)
        exact, exact_size = measured(price), measured_size(size)
        regular = self._hours[symbol].regular
        last = self.last_seen.quotes.get(symbol)
        touch = last.quote.touch_at(at_ns) if last is not None and last.quote is not None else None
        if reopening:
            touch = None  # everybody gets the print
        for key, books in sorted(self._workers.get(symbol, {}).items(), key=itemgetter(0)):
            met = books.meet_print(symbol, exact, at, exact_size, touch, regular=regular)
            for change in met:
                yield key, books, change
        # Orders that had waited for their first print rest from now on.
        self._reach.pop(symbol, None)

    def match_quotes(
        self, entry_id: str, quotes: Quotes
    ) -> Iterator[tuple[BooksKey, Books, Change]]:
        """Take in quotes one after another, and fill what each of them fills.

        The consumer calls `watch` for each change before it takes the next one.
        """
        known = self.last_seen.quotes
        for place, index in enumerate(quotes.symbol_index):
            at_ns, symbol = quotes.at_ns[place], quotes.symbols[index]
            if at_ns >= self._next_expiry_ns:
                yield from self.expire(at_ns)
            quote = Quote(
                quotes.bid[place],
                quotes.ask[place],
                quotes.bid_size[place],
                quotes.ask_size[place],
                at_ns,
            )
            if quote.counts:
                known[symbol] = LastQuote(quote, entry_id, at_ns)
                self._moved_quotes.add(symbol)
                if (
                    symbol in self._workers
                    and not self.halts.holds_quotes(symbol)
                    and self._takes_in(symbol, quote)
                ):
                    yield from self._meet_quote(symbol, quote)
            elif (last := known.get(symbol)) is not None:
                known[symbol] = LastQuote(None, last.tape_id, last.at_ns)
                self._moved_quotes.add(symbol)
        if self.time_ns is not None:
            self.time_ns = quotes.at_ns[-1]

    def _takes_in(self, symbol: Symbol, quote: Quote) -> bool:
        if quote.at_ns >= self._hours_until_ns:
            self._take_hours(quote.at_ns)
        return self._reach_of(symbol).takes_in_quote(quote.bid, quote.ask)

    def _meet_quote(self, symbol: Symbol, quote: Quote) -> Iterator[tuple[BooksKey, Books, Change]]:
        regular = self._hours[symbol].regular
        touch, at = quote.touch_at(quote.at_ns), self._moment(quote.at_ns)
        assert touch is not None, "it is new"
        for key, books in sorted(self._workers.get(symbol, {}).items(), key=itemgetter(0)):
            for change in books.meet_quote(symbol, touch, at, regular=regular):
                yield key, books, change
        self._reach.pop(symbol, None)

    def take_halts(self, told: HaltsTold) -> Iterator[tuple[BooksKey, Books, Change]]:
        """The consumer calls `watch` for each change before it takes the next one."""
        for symbol, at_ns, halted in zip(told.symbols, told.at_ns, told.halted, strict=True):
            if not self.halts.take(symbol, halted=halted):
                continue
            self._halts_moved = True
            if not halted:
                continue
            # What was quoted before doesn't stand any more.
            if (last := self.last_seen.quotes.get(symbol)) is not None:
                self.last_seen.quotes[symbol] = LastQuote(None, last.tape_id, last.at_ns)
                self._moved_quotes.add(symbol)
            for key, books in sorted(self._workers.get(symbol, {}).items(), key=itemgetter(0)):
                for change in books.halt(symbol, self._moment(at_ns)):
                    yield key, books, change
        if self.time_ns is not None:
            self.time_ns = told.at_ns[-1]

    def _reopen(self, symbol: Symbol) -> bool:
        """Whether a print opens the symbol again: then it is the first one of all orders."""
        if not self.halts.reopens(symbol):
            return False
        self._halts_moved = True
        for books in self._workers[symbol].values():
            books.reopen(symbol)
        self._reach.pop(symbol, None)
        return True

    def _moment(self, at_ns: int) -> datetime:
        return moment(at_ns) if self.time_ns is not None else self._wall()


def _numbers(quote: Quote | None) -> tuple[float, float, float, float]:
    if quote is None:
        return 0.0, 0.0, 0.0, 0.0
    return quote.bid, quote.ask, quote.bid_size, quote.ask_size
