"""Where commands meet the books: each gets its answer, and tells what it changed."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from order_processor.shards.clock import nanoseconds
from order_processor.shards.market import Market
from order_processor.shards.replies import (
    CONFLICT,
    ENTRY_CONFLICT,
    NO_ORDER,
    SUBMITTER,
    not_working,
    refusal,
    same_conversion,
    same_entry,
    same_order,
    same_protection,
    same_replacement,
)
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import BooksKey
from shared.models.cash import (
    CashReply,
    ConversionReply,
    ConvertCash,
    LedgerEntry,
    MoveCash,
    entry_names,
)
from shared.models.identifiers import OrderId, Symbol
from shared.models.orders import (
    BooksCommand,
    BooksReply,
    CancelOrder,
    CancelOrders,
    ClosePositions,
    Command,
    CompareBroker,
    HearBroker,
    NotClosed,
    OpenBooks,
    Order,
    OrderReply,
    OrdersReply,
    ProtectPosition,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.trading.books import Books
from shared.trading.changes import (
    BrokerCompared,
    BrokerNoted,
    Change,
    Difference,
    LiveChange,
    OrderChanged,
    order_id_of,
)
from shared.trading.classes import leg_ids
from shared.trading.drafts import closing_id
from shared.trading.hours import Hours
from shared.trading.live import ended_difference
from shared.trading.risk_guard import stopped
from shared.trading.terms import Instrument, Refused

Outcome = tuple[Reply, Sequence[LiveChange]]


class Counter:
    def __init__(
        self,
        market: Market,
        sessions: Sessions,
        instruments: Mapping[Symbol, tuple[Instrument, float]],
        find: Callable[[Command, OrderId], Order | None],
        entries: Mapping[tuple[BooksKey, str], LedgerEntry],
        currencies: Mapping[UUID, str],
    ) -> None:
        self._market = market
        self._sessions = sessions
        self._instruments = instruments
        self._find = find
        self._entries = entries
        self._currencies = currencies

    def serve(self, books: Books, command: BooksCommand, tape_id: str) -> Outcome:
        """The caller records the changes, in their order, before anything else happens."""
        if isinstance(command, OpenBooks):
            return BooksReply(request_id=command.request_id, cash=books.cash), ()
        match command:
            case SubmitOrder():
                return self._submit(books, command, tape_id)
            case ReplaceOrder():
                return self._replace(books, command, tape_id)
            case CancelOrder():
                return self._cancel(books, command)
            case CancelOrders():
                return self._cancel_all(books, command)
            case ClosePositions():
                return self._close(books, command, tape_id)
            case ProtectPosition():
                return self._protect(books, command, tape_id)
            case MoveCash():
                return self._move_cash(books, command)
            case ConvertCash():
                return self._convert_cash(books, command)
            case HearBroker():
                return BooksReply(request_id=command.request_id, cash=books.cash), self._hear(
                    books, command
                )
            case CompareBroker():
                compared = books.compare(
                    command.account, command.positions, self._market.now(books.mode)
                )
                return BooksReply(request_id=command.request_id, cash=books.cash), compared

    # --- one order ---------------------------------------------------------------------------

    def _submit(self, books: Books, command: SubmitOrder, tape_id: str) -> Outcome:
        known = self._find(command, _id_of(command, command.client_order_id))
        legs = [self._find(command, _id_of(command, name)) for name in leg_ids(command)]
        if known is not None:
            if same_order(known, legs, command):
                return _repeated(command, known, legs)
            return refusal(command, CONFLICT), ()
        if any(legs):
            return refusal(command, CONFLICT), ()
        if not _signed(command.submitted_by):
            return refusal(command, SUBMITTER), ()
        instrument = self._instrument(command.symbol)
        taken = books.submit(
            command,
            instrument,
            self._market.price_of(command.symbol),
            self._market.now(books.mode),
            tape_id,
            self._hours(instrument),
            time_known=self._market.time_ns != 0,
        )
        if isinstance(taken, Refused):
            return refusal(command, taken), ()
        if books.mode == "paper" and self._market.halts.is_halted(command.symbol):
            taken = books.end_at_once(taken, self._market.now())
        first, *others = (each.order for each in taken)
        reply = OrderReply(request_id=command.request_id, order=first, legs=tuple(others))
        return reply, taken

    def _replace(self, books: Books, command: ReplaceOrder, tape_id: str) -> Outcome:
        known = self._find(command, _id_of(command, command.client_order_id))
        if known is not None:
            if same_replacement(known, self._find(command, command.order_id), command):
                return _repeated(command, known)
            return refusal(command, CONFLICT), ()
        if not _signed(command.submitted_by):
            return refusal(command, SUBMITTER), ()
        old = self._find(command, command.order_id)
        if old is None:
            return refusal(command, NO_ORDER), ()
        working = books.working.get(command.order_id)
        if working is None:
            return refusal(command, not_working(old)), ()
        changes = books.replace(
            working,
            command,
            self._instrument(old.symbol),
            self._market.price_of(old.symbol),
            self._market.now(books.mode),
            tape_id,
            self._hours(self._instrument(old.symbol)),
        )
        if isinstance(changes, Refused):
            return refusal(command, changes), ()
        return OrderReply(request_id=command.request_id, order=changes[-1].order), changes

    def _cancel(self, books: Books, command: CancelOrder) -> Outcome:
        order = self._find(command, command.order_id)
        if order is None:
            return refusal(command, NO_ORDER), ()
        cancelled: Sequence[OrderChanged | BrokerNoted]
        if books.mode == "live":
            cancelled = books.want_cancel(None, command.order_id)
        else:
            cancelled = books.ask_cancel(command.order_id, self._market.now(books.mode))
        if not cancelled:
            return refusal(command, not_working(order)), ()
        return OrderReply(request_id=command.request_id, order=cancelled[0].order), cancelled

    def _cancel_all(self, books: Books, command: CancelOrders) -> Outcome:
        ended: Sequence[OrderChanged | BrokerNoted]
        if books.mode == "live":
            ended = books.want_cancel(command.symbol, None)
        else:
            ended = books.ask_cancel_all(command.symbol, self._market.now(books.mode))
        orders = [each.order for each in ended]
        return OrdersReply(request_id=command.request_id, orders=orders), ended

    # --- the broker --------------------------------------------------------------------------

    def _hear(self, books: Books, command: HearBroker) -> Sequence[LiveChange]:
        said = command.update.order
        order = self._find(command, _id_of(command, said.client_order_id))
        if order is None:
            name = said.client_order_id
            theirs = f"{said.side} {said.symbol}, {said.status}"
            return [BrokerCompared((Difference("unknown_order", name, "none", theirs),))]
        if order.id in books.working:
            heard = books.hear(order.id, command.update, self._market.now(books.mode))
            return [BrokerCompared((heard,))] if isinstance(heard, Difference) else heard
        difference = ended_difference(order, command.update)
        return [] if difference is None else [BrokerCompared((difference,))]

    # --- positions ---------------------------------------------------------------------------

    def _close(self, books: Books, command: ClosePositions, tape_id: str) -> Outcome:
        symbols = [command.symbol] if command.symbol is not None else sorted(books.holdings)
        known = [
            order
            for symbol in symbols
            if (order := self._find(command, _id_of(command, closing_id(command, symbol))))
        ]
        if known:
            return self._closed_before(command, known)
        if not _signed(command.submitted_by):
            return refusal(command, SUBMITTER), ()
        changes: list[Change] = []
        orders: list[Order] = []
        failed: list[NotClosed] = []
        for symbol in symbols:
            if command.symbol is None and not books.holdings[symbol].qty:
                continue
            closed = books.close(
                symbol,
                command,
                self._instrument(symbol),
                self._market.price_of(symbol),
                self._market.now(books.mode),
                tape_id,
            )
            if isinstance(closed, Refused):
                if command.symbol is not None:
                    return refusal(command, closed), ()
                failed.append(NotClosed(symbol, closed.code, closed.message))
                continue
            changes += closed
            orders.append(closed[-1].order)
        reply = OrdersReply(request_id=command.request_id, orders=orders, not_closed=tuple(failed))
        return reply, changes

    def _protect(self, books: Books, command: ProtectPosition, tape_id: str) -> Outcome:
        names = (command.client_order_id, f"{command.client_order_id}.stop_loss")
        first, leg = (self._find(command, _id_of(command, name)) for name in names)
        if first is not None:
            if same_protection(first, command):
                return _repeated(command, first, [leg])
            return refusal(command, CONFLICT), ()
        if leg is not None:
            return refusal(command, CONFLICT), ()
        if not _signed(command.submitted_by):
            return refusal(command, SUBMITTER), ()
        if command.symbol in books.risk.stopped:
            return refusal(command, stopped(command.symbol)), ()
        changes = books.protect(
            command,
            self._instrument(command.symbol),
            self._market.price_of(command.symbol),
            self._market.now(books.mode),
            tape_id,
        )
        if isinstance(changes, Refused):
            return refusal(command, changes), ()
        first, *others = (each.order for each in changes if each.opened is not None)
        reply = OrderReply(request_id=command.request_id, order=first, legs=tuple(others))
        return reply, changes

    def _closed_before(self, command: ClosePositions, known: list[Order]) -> Outcome:
        same = all(
            order.closes_position
            and order.replaces is None
            and command.qty in (None, order.qty)
            and order.submitted_by == command.submitted_by
            for order in known
        )
        if not same:
            return refusal(command, CONFLICT), ()
        return OrdersReply(request_id=command.request_id, orders=known, repeated=True), ()

    # --- cash --------------------------------------------------------------------------------

    def _move_cash(self, books: Books, command: MoveCash) -> Outcome:
        name = ((command.account_id, command.mode), command.client_entry_id)
        known = self._entries.get(name)
        if known is not None:
            if same_entry(known, command):
                reply = CashReply(request_id=command.request_id, entry=known, repeated=True)
                return reply, ()
            return refusal(command, ENTRY_CONFLICT), ()
        missing = self._missing_end(books, command)
        if missing is not None:
            return refusal(command, missing), ()
        entered = books.move_cash(command, self._market.now(books.mode))
        if isinstance(entered, Refused):
            return refusal(command, entered), ()
        return CashReply(request_id=command.request_id, entry=entered.entry), [entered]

    def _convert_cash(self, books: Books, command: ConvertCash) -> Outcome:
        key = (command.account_id, command.mode)
        sold, bought = (self._entries.get((key, name)) for name in entry_names(command))
        if sold is not None:
            if bought is None or not same_conversion(sold, bought, command):
                return refusal(command, ENTRY_CONFLICT), ()
            request_id = command.request_id
            return ConversionReply(
                request_id=request_id, sold=sold, bought=bought, repeated=True
            ), ()
        changes = books.convert_cash(command, self._market.now(books.mode))
        if isinstance(changes, Refused):
            return refusal(command, changes), ()
        first, second = (each.entry for each in changes)
        return ConversionReply(request_id=command.request_id, sold=first, bought=second), changes

    def _missing_end(self, books: Books, command: MoveCash) -> Refused | None:
        """Why what would leave could not arrive. What has left must arrive: it isn't asked."""
        if command.counterpart_id is None or command.amount > 0:
            return None
        currency = self._currencies.get(command.counterpart_id)
        if currency is None:
            return Refused("not_found", "There is no account to transfer to.")
        if currency != books.account.base_currency:
            return Refused(
                "currency_mismatch",
                "The other account has another currency.",
                limit=currency,
                observed=books.account.base_currency,
            )
        return None

    # --- looking up --------------------------------------------------------------------------

    def _instrument(self, symbol: Symbol) -> Instrument | None:
        return self._instruments.get(symbol, (None, 0.0))[0]

    def _hours(self, instrument: Instrument | None) -> Hours | None:
        if instrument is None or self._market.time_ns == 0:
            return None  # the run's first print will tell which day it is
        return self._sessions.hours(instrument.exchange, nanoseconds(self._market.now()))


def _signed(submitted_by: str) -> bool:
    return submitted_by.isprintable() and len(submitted_by) <= 128


def _id_of(command: Command, client_order_id: str) -> OrderId:
    return order_id_of(command.account_id, command.mode, client_order_id)


def _repeated(command: Command, order: Order, legs: Sequence[Order | None] = ()) -> Outcome:
    stored = tuple(each for each in legs if each is not None)
    reply = OrderReply(request_id=command.request_id, order=order, repeated=True, legs=stored)
    return reply, ()
