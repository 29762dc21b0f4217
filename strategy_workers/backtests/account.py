"""The order processor's part of a backtest: the books of one account, alone in its market. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from uuid import UUID

from shared.candles.calendar import NEVER_NS, HoursSpan, SessionCalendar
from shared.models.identifiers import Symbol
from shared.models.market import Halts as HaltsTold
from shared.models.market import Quotes
from shared.models.orders import (
    CancelOrder,
    Execution,
    Order,
    OrderReply,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.trading.amounts import exactly, measured, measured_size
from shared.trading.books import Books, BooksState
from shared.trading.changes import (
    CashEntered,
    Change,
    OrderChanged,
    OrderFilled,
    OrderMoved,
)
from shared.trading.events import executed, updated
from shared.trading.halts import Halts
from shared.trading.hours import asks_for_hours, hours_from
from shared.trading.matching import Reach
from shared.trading.quotes import Quote, Touch
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused
from strategy_workers.backtests.closing import ClosingPrices
from strategy_workers.backtests.margin import MarginWatch
from strategy_workers.backtests.plan import Terms
from strategy_workers.runtime.commands import cancel_outgoing, commands_of, take_answer
from strategy_workers.runtime.deployment import Deployment
from strategy_workers.runtime.desk import market_time, nanoseconds
from strategy_workers.runtime.feed import Numbered

#: Ids say nothing here: every backtest has an account of its own.
ACCOUNT_ID = UUID("6b1d0f0e-0000-4000-8000-000000000001")
_ENDED = Refused("order_not_working", "The order has ended already.")

#: Of events with the same stamp: an order is accepted before it fills, and fills before it ends.
_BEGINS, _FILLS, _ENDS = range(3)
#: Moment, step of it, place in the step, event.
_Stamped = tuple[int, int, int, Numbered]
_BY_STAMP = itemgetter(0, 1, 2)

#: Price that a symbol has at this moment; None before it has traded.
PriceOf = Callable[[str], float | None]


class Account:
    """Each moment goes: `begin_moment`, `meet` the prints, `expire`, `news`, `send`."""

    def __init__(self, terms: Terms, symbols: Sequence[str], calendar: SessionCalendar) -> None:
        self._instruments = {
            Symbol(symbol): Instrument(
                symbol=Symbol(symbol),
                exchange=terms.exchange,
                currency=terms.currency,
                tick_size=terms.tick_size,
                lot_size=terms.lot_size,
                tradable=True,
                shortable=terms.shortable,
                borrow_fee_bps=terms.borrow_fee_bps,
            )
            for symbol in symbols
        }
        self.margin = None if terms.margin is None else MarginWatch(self._instruments)
        self._books = Books(
            AccountTerms(
                id=ACCOUNT_ID,
                status="active",
                base_currency=terms.currency,
                paper_capital=terms.capital,
                paper=terms.paper,
                margin=terms.margin,
            ),
            "paper",
            Limits(reserve_buffer_bps=terms.reserve_buffer_bps),
            BooksState(),
            *(() if self.margin is None else (self.margin.price_of,)),
        )
        self._calendar = calendar
        self._news: list[_Stamped] = []
        self._number = 0
        self._orders_seq = 0
        self._executions_seq = 0
        self._next_expiry_ns = NEVER_NS
        self._hours = HoursSpan(True, 0, 0)
        self._closing = ClosingPrices(calendar)
        #: What stands, and what doesn't trade.
        self._quotes: dict[Symbol, Quote] = {}
        self._halts = Halts({})
        self.executions: list[Execution] = []
        self.orders = 0
        self.rejected = 0
        #: Refused in themselves: no order was made. The deployment's desk refuses some, too.
        self.refused = 0
        self._books.open(market_time(0))

    @property
    def books(self) -> Books:
        return self._books

    @property
    def next_expiry_ns(self) -> int:
        """When the next working order ends, of those that have an end."""
        return self._next_expiry_ns

    @property
    def has_news(self) -> bool:
        """Something has happened that the deployment hasn't heard of."""
        return bool(self._news)

    @property
    def works(self) -> bool:
        """Prints may matter to it."""
        return bool(self._books.working) or bool(self._halts.known) or self.at_risk

    @property
    def at_risk(self) -> bool:
        """Prices may bring a margin call, or time its charges."""
        if self.margin is None:
            return False
        return any(each.qty for each in self._books.holdings.values())

    def reach(self, symbol: str) -> Reach:
        return self._books.reach(Symbol(symbol))

    # --- the market phase ----------------------------------------------------------------------

    def begin_moment(self) -> None:
        self._number += 1

    @exactly
    def meet(
        self, prints: Iterable[tuple[int, str, float, float]], hours: HoursSpan | None = None
    ) -> None:
        """Fill, trigger and move what (time in ns, symbol, price, size) reach, one after
        another. With `hours`, all of them belong to these, and a symbol's last print is the
        closing one of orders that wait for a close in between."""
        if self.margin is None:
            self._meet(prints, hours)
            return
        kept = list(prints)
        if not kept:
            return
        self.margin.come_to(kept[0][0], self._books)
        self._meet(kept, hours)
        self.margin.take_prices({symbol: price for _, symbol, price, _ in kept})
        self._check_margin(kept[-1][0], 0)

    def _check_margin(self, at_ns: int, step: int) -> None:
        assert self.margin is not None, "it is a margin account"
        for change in self.margin.check(at_ns, self._books):
            self._tell(change, step)

    def _meet(
        self, prints: Iterable[tuple[int, str, float, float]], hours: HoursSpan | None
    ) -> None:
        reach: dict[str, Reach] = {}
        books = self._books
        until_ns = self._hours.until_ns if hours is None else NEVER_NS
        if hours is not None:
            self._take_hours(hours)
            prints = self._closing.noted(prints, self._number)
        noting = hours is None and self._closing.noting
        for at_ns, symbol, price, size in prints:
            if at_ns >= self._next_expiry_ns:
                self._expire(at_ns, 0)
                reach.clear()
            if at_ns >= until_ns:
                until_ns = self._take_hours(self._calendar.hours_at(at_ns))
                reach.clear()
            if noting:
                self._closing.note(symbol, self._number, at_ns, price)
            reopening = False
            if symbol in self._halts.known:
                reopening = self._halts.reopens(Symbol(symbol))
                if not reopening:
                    continue
                books.reopen(Symbol(symbol))
                reach.clear()
            its = reach.get(symbol)
            if its is None:
                its = reach[symbol] = books.reach(Symbol(symbol), regular=self._hours.regular)
            fresh, falling_to, rising_to = its
            if fresh or price <= falling_to or price >= rising_to:
                self._tell_each(
                    books.meet_print(
                        Symbol(symbol),
                        measured(price),
                        market_time(at_ns),
                        measured_size(size),
                        None if reopening else self._touch(symbol, at_ns),
                        regular=self._hours.regular,
                    )
                )
                if not books.working and not self._halts.known:
                    return
                del reach[symbol]

    def _take_hours(self, hours: HoursSpan) -> int:
        """These hours have begun; until when they last."""
        if hours != self._hours:
            self._hours = hours
            if hours.regular:
                for symbol in self._instruments:
                    self._books.open_regular_hours(Symbol(symbol))
        return hours.until_ns

    @exactly
    def take_quotes(self, quotes: Quotes) -> None:
        """Remember them, and fill what each of them fills, one after another."""
        books, margin = self._books, self.margin
        if margin is not None and quotes.at_ns:
            margin.come_to(quotes.at_ns[0], books)
        self._take_each(quotes)
        if margin is not None and quotes.at_ns:
            self._check_margin(quotes.at_ns[-1], 0)

    def _take_each(self, quotes: Quotes) -> None:
        books = self._books
        for place, index in enumerate(quotes.symbol_index):
            at_ns, symbol = quotes.at_ns[place], quotes.symbols[index]
            quote = Quote(
                quotes.bid[place],
                quotes.ask[place],
                quotes.bid_size[place],
                quotes.ask_size[place],
                at_ns,
            )
            if at_ns >= self._next_expiry_ns:
                self._expire(at_ns, 0)
            if not quote.counts:
                self._quotes.pop(symbol, None)
                continue
            self._quotes[symbol] = quote
            if not books.working or self._halts.holds_quotes(symbol):
                continue
            if at_ns >= self._hours.until_ns:
                self._take_hours(self._calendar.hours_at(at_ns))
            regular = self._hours.regular
            reach = books.reach(symbol, regular=regular)
            if reach.takes_in_quote(quote.bid, quote.ask):
                touch = quote.touch_at(at_ns)
                assert touch is not None, "it is new"
                self._tell_each(
                    books.meet_quote(symbol, touch, market_time(at_ns), regular=regular)
                )

    @exactly
    def take_halts(self, told: HaltsTold) -> None:
        for symbol, at_ns, halted in zip(told.symbols, told.at_ns, told.halted, strict=True):
            if self._halts.take(symbol, halted=halted) and halted:
                self._quotes.pop(symbol, None)
                self._tell_each(self._books.halt(symbol, market_time(at_ns)))

    def _touch(self, symbol: str, at_ns: int) -> Touch | None:
        quote = self._quotes.get(Symbol(symbol))
        return None if quote is None else quote.touch_at(at_ns)

    def _tell_each(self, changes: Iterable[Change]) -> None:
        for change in changes:
            assert not isinstance(change, CashEntered), "the market deposits nothing"
            if not isinstance(change, OrderMoved):
                self._tell(change, 0)

    def expire(self, at_ns: int) -> None:
        """The moment's mark."""
        if self.margin is not None:
            self.margin.come_to(at_ns, self._books)
        if at_ns >= self._next_expiry_ns:
            self._expire(at_ns, 1)
        if self.margin is not None:
            self._check_margin(at_ns, 1)

    def _expire(self, at_ns: int, step: int) -> None:
        for change in self._books.expire(market_time(at_ns), self._closing.price_for):
            assert isinstance(change, OrderChanged | OrderFilled), "an order ends"
            self._tell(change, step)

    def _tell(self, change: OrderChanged | OrderFilled, step: int) -> None:
        """Prints are step 0 of a moment, its mark 1: what is a tape entry on a tape."""
        if isinstance(change, OrderFilled):
            # That the order is filled is told with its execution, and not once more.
            self._executions_seq += 1
            news: Numbered = (self._executions_seq, executed(change, ""))
            self._news.append((self._number, step, _FILLS, news))
            self.executions.append(change.execution)
        else:
            self._orders_seq += 1
            place = _BEGINS if change.order.status == "accepted" else _ENDS
            self._news.append((self._number, step, place, (self._orders_seq, updated(change, ""))))
        self._note_expiry(change)

    def _note_expiry(self, change: OrderChanged | OrderFilled) -> None:
        if self._closing.noting and change.order.id not in self._books.working:
            self._closing.forget(change.order.id)
        if change.order.expires_at is not None or change.order.due_at is not None:
            end = self._books.next_expiry()
            self._next_expiry_ns = NEVER_NS if end is None else nanoseconds(end)

    # --- the strategy phase --------------------------------------------------------------------

    def news(self) -> list[Numbered]:
        """What the deployment is to hear in this moment; once. It is what a worker would pick
        (`runtime/feed.py`): what the moment's own mark did is told in the next one."""
        if not self._news:
            return []
        mark = (self._number, 1)
        if len(self._news) == 1 and self._news[0][:2] < mark:
            (_, _, _, news), self._news = self._news[0], []
            return [news]
        now = [each for each in self._news if each[:2] < mark]
        self._news = [each for each in self._news if each[:2] >= mark]
        now.sort(key=_BY_STAMP)
        return [news for _, _, _, news in now]

    @exactly
    def send(self, deployment: Deployment, at_ns: int, price_of: PriceOf) -> None:
        """Apply what the deployment decided, and let it know the answers."""
        at = market_time(at_ns)
        ready, waiting = commands_of(deployment, "")
        for outgoing, command in ready:
            answer = self._answer(command, at, at_ns, price_of, tells_accepted=deployment.listens)
            take_answer(deployment, outgoing, answer)
        for cancel in waiting:
            late = cancel_outgoing(deployment, cancel, "")
            if late is not None:
                take_answer(deployment, cancel, self.cancel(late, at))
        deployment.saved()

    def _answer(
        self,
        command: SubmitOrder | CancelOrder | ReplaceOrder,
        at: datetime,
        at_ns: int,
        price_of: PriceOf,
        *,
        tells_accepted: bool,
    ) -> Reply:
        """That an order was accepted says nothing that the answer doesn't, but to a strategy that
        listens."""
        if isinstance(command, CancelOrder):
            return self.cancel(command, at)
        if isinstance(command, ReplaceOrder):
            return self._replace(command, at, price_of)
        price = price_of(command.symbol)
        timed = asks_for_hours(command)
        taken = self._books.submit(
            command,
            self._instruments.get(Symbol(command.symbol)),
            None if price is None else measured(price),
            at,
            "",
            hours_from(self._calendar, at_ns) if timed else None,
        )
        if isinstance(taken, Refused):
            self.refused += 1
            return _refusal(command, taken)
        taken = self.took(command.symbol, taken, at)
        for change in taken:
            self.orders += 1
            if change.opened is not None and change.order.time_in_force == "cls":
                self._closing.wait(change.order.id, self._number)
            if change.order.status != "accepted" or tells_accepted:
                self.rejected += change.order.status == "rejected"
                self._tell(change, 1)
            else:
                self._note_expiry(change)
        first, *others = [change.order for change in taken]
        return OrderReply(request_id=command.request_id, order=first, legs=tuple(others))

    def took(self, symbol: Symbol, taken: list[OrderChanged], at: datetime) -> list[OrderChanged]:
        """What becomes of a new order at once, because its symbol is halted."""
        if not self._halts.is_halted(symbol):
            return taken
        return self._books.end_at_once(taken, at)

    def _replace(self, command: ReplaceOrder, at: datetime, price_of: PriceOf) -> Reply:
        working = self._books.working.get(command.order_id)
        if working is None:
            self.refused += 1
            return _refusal(command, _ENDED)
        symbol = working.order.symbol
        price = price_of(symbol)
        taken = self._books.replace(
            working,
            command,
            self._instruments.get(symbol),
            None if price is None else measured(price),
            at,
            "",
            hours_from(self._calendar, nanoseconds(at)),
        )
        if isinstance(taken, Refused):
            self.refused += 1
            return _refusal(command, taken)
        self.orders += 1
        self.rejected += taken[-1].order.status == "rejected"
        for change in taken:
            self._tell(change, 1)
        return OrderReply(request_id=command.request_id, order=taken[-1].order)

    def cancel(self, command: CancelOrder, at: datetime) -> Reply:
        cancelled = self._books.ask_cancel(command.order_id, at)
        if not cancelled:
            return _refusal(command, _ENDED)
        for change in cancelled:
            self._tell(change, 1)
        return OrderReply(request_id=command.request_id, order=cancelled[0].order)

    # --- the end -------------------------------------------------------------------------------

    def cancel_working(self, at_ns: int, spare: Callable[[str], bool]) -> list[Order]:
        """Cancel what still works, but for client order ids that `spare` says; those that go."""
        going = [
            each.order
            for each in self._books.working.values()
            if not spare(each.order.client_order_id)
        ]
        for order in going:
            self._books.cancel(order.id, market_time(at_ns))
        return going

    def equity(self, price_of: PriceOf) -> Decimal:
        prices = {
            symbol: measured(price)
            for symbol in self._books.holdings
            if (price := price_of(symbol)) is not None
        }
        return self._books.valued(prices)[0]


def _refusal(command: SubmitOrder | CancelOrder | ReplaceOrder, why: Refused) -> Refusal:
    return Refusal(
        request_id=command.request_id,
        code=why.code,
        message=why.message,
        limit=why.limit,
        observed=why.observed,
        level=why.level,
    )
