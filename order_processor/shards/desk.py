"""One shard in memory: tape entries and commands go in, a batch to commit comes out.

No I/O: what commands name that is not in memory is looked up by the owner first (`unknown_to`,
`learn`). After a failed commit the desk is thrown away and built again from the tables.
"""

from datetime import datetime
from decimal import Decimal
from time import monotonic
from uuid import UUID

from order_processor.errors import UnappliableError
from order_processor.metrics import FILLS
from order_processor.shards.acknowledgements import MarkDone
from order_processor.shards.batch import Answer, Batch, MarkRecord
from order_processor.shards.clock import WallClock, moment, nanoseconds
from order_processor.shards.consumer import CommandEntry
from order_processor.shards.feed import FedEntry, Prints
from order_processor.shards.market import Market
from order_processor.shards.replies import CONFLICT, SUBMITTER, count, refusal, same_order
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import (
    BooksKey,
    Cursors,
    LastPrice,
    Lookup,
    StoredBooks,
    StoredShard,
    Unknowns,
)
from shared.models.base import encode
from shared.models.identifiers import AccountId, OrderId, Symbol
from shared.models.market import RunStarted, TimeMark
from shared.models.orders import (
    BooksReply,
    CancelOrder,
    Command,
    EquityMarked,
    Order,
    OrderReply,
    Reply,
    SubmitOrder,
)
from shared.redis.keys import shard_of
from shared.redis.streams import position
from shared.trading.books import Books
from shared.trading.changes import Change, Deposited, OrderFilled, order_id_of
from shared.trading.terms import Instrument, Limits, Refused

#: An account's terms and an instrument are read again when they are older than this.
_TERMS_AGE_S = 1.0
_INSTRUMENT_AGE_S = 5.0
#: Orders that have ended and are kept for commands that come again.
_ENDED_KEPT = 20_000


class Desk:
    def __init__(
        self,
        shard: int,
        shards: int,
        stored: StoredShard,
        *,
        wall: WallClock,
        limits: Limits,
        sessions: Sessions,
    ) -> None:
        self.shard = shard
        self._shards = shards
        self._limits = limits
        self._sessions = sessions
        cursors = stored.cursors
        self.command_cursor = cursors.command
        self.tape_cursor = cursors.tape
        self._tape_position = position(cursors.tape)
        self._market_entry = cursors.market_entry
        #: Last market mark of the paced run under way; number 0 without one.
        self.mark = MarkDone(cursors.mark_number, cursors.mark_run_id, cursors.market_entry)
        self._topic_seqs: dict[str, int] = {}
        self._books: dict[BooksKey, Books] = {}
        self._terms_read: dict[UUID, float] = {}
        self._instruments: dict[Symbol, tuple[Instrument, float]] = {}
        self._ended: dict[OrderId, Order] = {}
        self._holders: dict[Symbol, set[BooksKey]] = {}
        self._market = Market(wall, stored.last_prices, cursors.market_time_ns)
        self.batch = Batch(cursors.event_seq, self._topic_seqs)
        #: Books whose equity moved with prices, and those that had a fill, since they were told.
        self.moved: set[BooksKey] = set()
        self.filled: set[BooksKey] = set()
        for books in stored.books:
            self._take_up(books)

    @property
    def last_prices(self) -> dict[Symbol, LastPrice]:
        return self._market.last_prices

    # --- the commit's side -------------------------------------------------------------------

    def cursors(self, published_seq: int) -> Cursors:
        return Cursors(
            self.command_cursor,
            self.tape_cursor,
            self.batch.event_seq,
            published_seq,
            self._market_entry,
            self._market.time_ns,
            self.mark.number,
            self.mark.run_id,
        )

    def last_price_changes(self) -> tuple[bool, list[MarkRecord]]:
        """Whether older last prices are to be deleted first, and those that moved."""
        rows = []
        for symbol in self._market.moved_symbols:
            last = self._market.last_prices[symbol]
            price = self._market.price_of(symbol)
            assert price is not None
            rows.append(MarkRecord(symbol, price, moment(last.at_ns), last.tape_id))
        return self._market.forgotten, rows

    def committed(self) -> None:
        """What the batch held is durable: begin the next one."""
        self.batch = Batch(self.batch.event_seq, self._topic_seqs)
        self._market.moved_symbols.clear()
        self._market.forgotten = False
        while len(self._ended) > _ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    # --- the tape ----------------------------------------------------------------------------

    def has_applied(self, tape_id: str) -> bool:
        return position(tape_id) <= self._tape_position

    def apply_entry(self, entry: FedEntry) -> None:
        """Apply one tape entry; one at or before the cursor was applied already."""
        at = position(entry.id)
        if at <= self._tape_position:
            return
        self.tape_cursor, self._tape_position = entry.id, at
        body = entry.body
        if body is None:
            return
        if isinstance(body, Prints):
            self._market_entry = entry.id
            for key, books, change in self._market.match(body.trades):
                self._record(key, books, change)
            self._market.take_prices(entry.id, body)
            for symbol in body.last:
                self.moved |= self._holders.get(symbol, set())
        elif isinstance(body, TimeMark):
            self._apply_mark(entry.id, body)
        elif isinstance(body, RunStarted):
            self._market_entry = entry.id
            for key, books, change in self._market.begin_run(paced=body.paced):
                self._record(key, books, change)
            self.mark = MarkDone(0, "", entry.id)
        else:
            self._market.end_run()
            self.mark = MarkDone(0, "", entry.id)
            # From here on the wall clock is the time: it may be years later than the run was.
            self.expire_by_clock()

    def _apply_mark(self, entry_id: str, mark: TimeMark) -> None:
        # The strategy mark repeats the time. It is no position of its own: a command that was
        # sent because of it may come before or after it, and must look the same both ways.
        if mark.phase != "market":
            return
        self._market_entry = entry_id
        self._market.take_time(mark)
        self.mark = MarkDone(mark.number if mark.paced else 0, mark.run_id, entry_id)
        for key, books, change in self._market.expire(mark.at_ns):
            self._record(key, books, change)

    # --- the clock ---------------------------------------------------------------------------

    def expiry_wait_s(self) -> float | None:
        """Until the clock should end an order that the tape has not; None for never."""
        return self._market.expiry_wait_s()

    def expire_by_clock(self) -> None:
        for key, books, change in self._market.expire(nanoseconds(self._market.now())):
            self._record(key, books, change)

    # --- commands ----------------------------------------------------------------------------

    def unknown_to(self, entries: list[CommandEntry]) -> Unknowns:
        """What must be looked up before these commands can be applied."""
        now = monotonic()
        unknown = Unknowns(set(), set(), set(), set())
        for entry in entries:
            command = entry.command
            if command is None or self._foreign(command) is not None:
                continue
            account_id = command.account_id
            if (account_id, command.mode) not in self._books:
                unknown.books.add((account_id, command.mode))
            elif now - self._terms_read[account_id] > _TERMS_AGE_S:
                unknown.accounts.add(account_id)
            if isinstance(command, SubmitOrder):
                order_id = order_id_of(account_id, command.mode, command.client_order_id)
                if self._find(command, order_id) is None:
                    unknown.orders.add(order_id)
                _, read_at = self._instruments.get(command.symbol, (None, -_INSTRUMENT_AGE_S))
                if now - read_at >= _INSTRUMENT_AGE_S and "\x00" not in command.symbol:
                    unknown.symbols.add(command.symbol)
            elif isinstance(command, CancelOrder) and self._find(command, command.order_id) is None:
                unknown.orders.add(command.order_id)
        return unknown

    def learn(self, asked: Unknowns, found: Lookup) -> None:
        now = monotonic()
        for books in found.books:
            self._take_up(books)
        for account in found.accounts:
            self._terms_read[account.id] = now
            for key, opened in self._books.items():
                if key[0] == account.id:
                    opened.account = account
        for order in found.orders:
            self._ended.setdefault(order.id, order)
        for symbol in asked.symbols:
            self._instruments.pop(symbol, None)
        for instrument in found.instruments:
            self._instruments[instrument.symbol] = (instrument, now)

    def unprepared_exchanges(self, entries: list[CommandEntry]) -> set[str]:
        """Exchanges whose sessions these commands need, and that must be prepared first."""
        exchanges = {
            self._instruments[command.symbol][0].exchange
            for entry in entries
            if isinstance(command := entry.command, SubmitOrder)
            and command.time_in_force == "day"
            and command.symbol in self._instruments
        }
        return {exchange for exchange in exchanges if not self._sessions.ready(exchange)}

    def apply_command(self, entry: CommandEntry, *, poisoned: bool = False) -> None:
        """Apply one command and note its answer. A poisoned one, which made the code fail
        before, is refused instead."""
        command = entry.command
        if command is not None:
            try:
                reply = self._poison_reply(command) if poisoned else self._reply_to(command)
            except Exception as error:
                raise UnappliableError(entry.id) from error
            count(command, reply)
            self.batch.answers.append(Answer(command.reply_to, encode(reply)))
        self.command_cursor = entry.id
        self.batch.commands += 1

    def _reply_to(self, command: Command) -> Reply:
        foreign = self._foreign(command)
        if foreign is not None:
            return refusal(command, foreign)
        key = (command.account_id, command.mode)
        books = self._books.get(key)
        if books is None:
            return refusal(command, Refused("not_found", "There is no such account."))
        for change in books.open(self._market.now()):
            self._record(key, books, change)
        if isinstance(command, SubmitOrder):
            return self._submit(key, books, command)
        if isinstance(command, CancelOrder):
            return self._cancel(key, books, command)
        return BooksReply(request_id=command.request_id, cash=books.cash)

    def _foreign(self, command: Command) -> Refused | None:
        """Why the command can't be looked at here at all."""
        if command.mode != "paper":
            return Refused(
                "mode_not_available", "Only paper trading is available.", "paper", command.mode
            )
        owner = shard_of(command.account_id, self._shards)
        if owner != self.shard:
            return Refused(
                "wrong_shard",
                "The command came to a shard that does not own the account.",
                str(owner),
                str(self.shard),
            )
        return None

    def _submit(self, key: BooksKey, books: Books, command: SubmitOrder) -> Reply:
        order_id = order_id_of(command.account_id, command.mode, command.client_order_id)
        known = self._find(command, order_id)
        if known is not None:
            if same_order(known, command):
                return OrderReply(request_id=command.request_id, order=known, repeated=True)
            return refusal(command, CONFLICT)
        if not command.submitted_by.isprintable() or len(command.submitted_by) > 128:
            return refusal(command, SUBMITTER)
        instrument, _ = self._instruments.get(command.symbol, (None, 0.0))
        day = command.time_in_force == "day"
        taken = books.submit(
            command,
            instrument,
            self._market.price_of(command.symbol),
            self._market.now(),
            self._market_entry,
            self._session_close(instrument) if day and instrument is not None else None,
            time_known=self._market.time_ns != 0,
        )
        if isinstance(taken, Refused):
            return refusal(command, taken)
        self._record(key, books, taken)
        return OrderReply(request_id=command.request_id, order=taken.order)

    def _session_close(self, instrument: Instrument) -> datetime | None:
        if self._market.time_ns == 0:
            return None  # the run's first print will tell which day it is
        at_ns = nanoseconds(self._market.now())
        close_ns = self._sessions.close_after(instrument.exchange, at_ns)
        return None if close_ns is None else moment(close_ns)

    def _cancel(self, key: BooksKey, books: Books, command: CancelOrder) -> Reply:
        order = self._find(command, command.order_id)
        if order is None:
            return refusal(command, Refused("not_found", "There is no such order."))
        cancelled = books.cancel(command.order_id, self._market.now())
        if cancelled is None:
            why = Refused(
                "order_not_working", f"The order is {order.status} already.", observed=order.status
            )
            return refusal(command, why)
        self._record(key, books, cancelled)
        return OrderReply(request_id=command.request_id, order=cancelled.order)

    def _find(self, command: SubmitOrder | CancelOrder, order_id: OrderId) -> Order | None:
        """The order in memory; None when it isn't, or is of another account or mode."""
        books = self._books.get((command.account_id, command.mode))
        working = books.working.get(order_id) if books is not None else None
        order = working.order if working is not None else self._ended.get(order_id)
        if order is None:
            return None
        own = order.account_id == command.account_id and order.mode == command.mode
        return order if own else None

    def _poison_reply(self, command: Command) -> Reply:
        return refusal(command, Refused("internal_error", "The command could not be carried out."))

    # --- memory ------------------------------------------------------------------------------

    def _take_up(self, stored: StoredBooks) -> None:
        key = (stored.account.id, stored.mode)
        if key in self._books:
            return
        books = Books(stored.account, stored.mode, self._limits, stored.state)
        self._books[key] = books
        self._terms_read[stored.account.id] = monotonic()
        self._topic_seqs.update(stored.topic_seqs)
        for symbol in {working.order.symbol for working in books.working.values()}:
            self._market.watch(key, books, symbol)
        for holding in books.holdings.values():
            if holding.qty:
                self._holders.setdefault(holding.symbol, set()).add(key)

    def _record(self, key: BooksKey, books: Books, change: Change) -> None:
        self.batch.record(books, change, self._market_entry)
        if isinstance(change, Deposited):
            self.filled.add(key)
            return
        order = change.order
        if order.id not in books.working:
            self._ended[order.id] = order
        self._market.watch(key, books, order.symbol)
        if isinstance(change, OrderFilled):
            FILLS.inc()
            self.filled.add(key)
            holders = self._holders.setdefault(order.symbol, set())
            if change.holding.qty:
                holders.add(key)
            else:
                holders.discard(key)

    def equity_of(self, key: BooksKey) -> EquityMarked:
        books = self._books[key]
        prices: dict[Symbol, Decimal] = {}
        for symbol, holding in books.holdings.items():
            price = self._market.price_of(symbol)
            if holding.qty and price is not None:
                prices[symbol] = price
        equity, unrealized = books.valued(prices)
        return EquityMarked(
            account_id=AccountId(books.account.id),
            mode=books.mode,
            at=self._market.now(),
            cash=books.cash,
            equity=equity,
            unrealized_pnl=unrealized,
            prices={str(symbol): price for symbol, price in prices.items()},
        )
