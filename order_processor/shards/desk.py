"""One shard in memory: tape entries and commands go in, a batch to commit comes out.

No I/O: what commands name that is not in memory is looked up by the owner first (`unknown_to`,
`learn`). After a failed commit the desk is thrown away and built again from the tables.
"""

from collections.abc import Iterable
from decimal import Decimal
from time import monotonic
from uuid import UUID

import msgspec

from order_processor.errors import UnappliableError
from order_processor.metrics import FILLS
from order_processor.risk.audit import record_of
from order_processor.risk.margin_calls import MarginRules
from order_processor.risk.officer import RiskOfficer
from order_processor.shards.acknowledgements import MarkDone
from order_processor.shards.batch import Answer, Batch, Sealed
from order_processor.shards.clock import WallClock, nanoseconds
from order_processor.shards.consumer import CommandEntry
from order_processor.shards.counter import Counter
from order_processor.shards.feed import FedEntry, Prints
from order_processor.shards.market import Market
from order_processor.shards.past import Past
from order_processor.shards.replies import note, refusal
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import (
    BooksKey,
    Cursors,
    LastSeen,
    Lookup,
    StoredBooks,
    StoredShard,
    Unknowns,
)
from shared.models.base import encode
from shared.models.cash import LedgerEntry, MoveCash
from shared.models.identifiers import AccountId, OrderId, Symbol
from shared.models.market import Quotes, RunStarted, TimeMark
from shared.models.orders import (
    CancelOrder,
    ClosePositions,
    Command,
    EquityMarked,
    Order,
    ProtectPosition,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.models.risk import EngageKillSwitch, RiskCommand
from shared.redis.keys import shard_of
from shared.redis.streams import position
from shared.trading.books import Books
from shared.trading.changes import CashEntered, Change, OrderFilled, order_id_of
from shared.trading.classes import leg_ids
from shared.trading.drafts import closing_id
from shared.trading.hours import asks_for_hours
from shared.trading.terms import Instrument, Limits, Refused

#: An account's terms and an instrument are read again when they are older than this.
_TERMS_AGE_S = 1.0
_INSTRUMENT_AGE_S = 5.0
#: Orders that have ended and are kept for commands that come again, and named entries of cash.
_ENDED_KEPT = 20_000
_ENTRIES_KEPT = 1_000


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
        margin_rules: MarginRules,
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
        self._ended: Past[OrderId, Order] = Past(_ENDED_KEPT)
        self._entries: Past[tuple[BooksKey, str], LedgerEntry] = Past(_ENTRIES_KEPT)
        self._holders: dict[Symbol, set[BooksKey]] = {}
        self._market = Market(wall, sessions, stored.last_seen, cursors.market_time_ns)
        self._currencies: dict[UUID, str] = {}
        self._counter = Counter(
            self._market,
            sessions,
            self._instruments,
            self._find,
            self._entries,
            self._currencies,
        )
        self.batch = Batch(cursors.event_seq, self._topic_seqs)
        #: Books whose equity moved with prices, and those that had a fill, since they were told.
        self.moved: set[BooksKey] = set()
        self.filled: set[BooksKey] = set()
        #: Acts on what the risk ladder forbids.
        self.risk = RiskOfficer(
            self._books,
            self._market,
            self._instruments,
            self._record,
            lambda: self.batch,
            lambda: self._market_entry,
            stored.halt_done,
            margin_rules,
            lambda: self.mark.run_id,
        )
        for books in stored.books:
            self._take_up(books)

    @property
    def last_seen(self) -> LastSeen:
        return self._market.last_seen

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

    def seal(self, published_seq: int, equity: list[EquityMarked]) -> Sealed:
        """What happened since the last time, to be committed; the next batch begins."""
        sealed = Sealed(self.batch, self._market.seal(), self.cursors(published_seq), equity)
        self.batch = Batch(self.batch.event_seq, self._topic_seqs)
        self._ended.seal()
        self._entries.seal()
        return sealed

    def committed(self) -> None:
        """What was sealed is durable. Not to be called between `unknown_to` and the commands'
        application: what is forgotten here must be looked up."""
        self._ended.forget()
        self._entries.forget()

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
            self.risk.carry.come_to(body.trades.at_ns[0])
            for key, books, change in self._market.match(body.trades):
                self._record(key, books, change)
            self._market.take_prices(entry.id, body)
            moved: set[BooksKey] = set()
            for symbol in body.last:
                moved |= self._holders.get(symbol, set())
            self.moved |= moved
            self.risk.prices_moved(moved)
            self.risk.check()
        elif isinstance(body, Quotes):
            self._market_entry = entry.id
            if body.at_ns:
                self.risk.carry.come_to(body.at_ns[0])
            for key, books, change in self._market.match_quotes(entry.id, body):
                self._record(key, books, change)
            self.risk.check()
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
        self.risk.carry.come_to(mark.at_ns)
        for key, books, change in self._market.expire(mark.at_ns):
            self._record(key, books, change)
        self.risk.check()

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
        unknown = Unknowns()
        for entry in entries:
            command = entry.command
            if command is None or self._foreign(command) is not None:
                continue
            account_id = command.account_id
            if (account_id, command.mode) not in self._books:
                unknown.books.add((account_id, command.mode))
            elif now - self._terms_read[account_id] > _TERMS_AGE_S:
                unknown.accounts.add(account_id)
            if isinstance(command, MoveCash):
                name = ((account_id, command.mode), command.client_entry_id)
                if name not in self._entries and "\x00" not in command.client_entry_id:
                    unknown.entries.add(name)
                if command.counterpart_id and command.counterpart_id not in self._currencies:
                    unknown.accounts.add(command.counterpart_id)
            orders, symbols = self._named_by(command, unknown)
            unknown.orders.update(each for each in orders if self._find(command, each) is None)
            for symbol in symbols:
                _, read_at = self._instruments.get(symbol, (None, -_INSTRUMENT_AGE_S))
                if now - read_at >= _INSTRUMENT_AGE_S and "\x00" not in symbol:
                    unknown.symbols.add(symbol)
        return unknown

    def _named_by(
        self, command: Command, unknown: Unknowns
    ) -> tuple[Iterable[OrderId], Iterable[Symbol]]:
        """Orders and symbols that a command is about; those that only the books or another order
        can tell are named when these are known."""
        account_id, mode = command.account_id, command.mode
        match command:
            case SubmitOrder():
                ids = [command.client_order_id, *leg_ids(command)]
                return [order_id_of(account_id, mode, each) for each in ids], [command.symbol]
            case CancelOrder():
                return [command.order_id], []
            case ReplaceOrder():
                old = self._find(command, command.order_id)
                unknown.again |= old is None
                new_id = order_id_of(account_id, mode, command.client_order_id)
                return [command.order_id, new_id], [] if old is None else [old.symbol]
            case ProtectPosition():
                names = [command.client_order_id, f"{command.client_order_id}.stop_loss"]
                return [order_id_of(account_id, mode, each) for each in names], [command.symbol]
            case ClosePositions():
                books = self._books.get((account_id, mode))
                unknown.again |= books is None
                symbols = list(books.holdings) if books is not None else []
                if command.symbol is not None:
                    symbols = [command.symbol]
                names = [closing_id(command, symbol) for symbol in symbols]
                return [order_id_of(account_id, mode, name) for name in names], symbols
            case EngageKillSwitch(flatten=True):
                books = self._books.get((account_id, mode))
                unknown.again |= books is None
                return [], [] if books is None else list(books.holdings)
            case _:
                return [], []

    def learn(self, asked: Unknowns, found: Lookup) -> None:
        now = monotonic()
        for books in found.books:
            self._take_up(books)
        for account in found.accounts:
            self._terms_read[account.id] = now
            self._currencies[account.id] = account.base_currency
            for key, opened in self._books.items():
                if key[0] == account.id:
                    # Its kind is changed by commands alone, and what the table has may be older.
                    opened.account = msgspec.structs.replace(account, margin=opened.margin.terms)
        for order in found.orders:
            self._ended.setdefault(order.id, order)
        for name, entry in found.entries.items():
            self._entries.setdefault(name, entry)
        for symbol in asked.symbols:
            self._instruments.pop(symbol, None)
        for instrument in found.instruments:
            self._instruments[instrument.symbol] = (instrument, now)
            self._market.list_symbol(instrument.symbol, instrument.exchange)

    def unprepared_exchanges(self, entries: list[CommandEntry]) -> set[str]:
        """Exchanges whose hours these commands need, and that must be prepared first."""
        exchanges: set[str] = set()
        for entry in entries:
            command = entry.command
            if command is None:
                continue
            books = self._books.get((command.account_id, command.mode))
            if books is not None and (
                books.risk.looks_at_hours or not books.account.paper.extended_hours
            ):
                exchanges |= self._market.exchanges
            elif isinstance(command, SubmitOrder) and asks_for_hours(command):
                known = self._instruments.get(command.symbol)
                exchanges |= set() if known is None else {known[0].exchange}
        return {exchange for exchange in exchanges if not self._sessions.ready(exchange)}

    def unprepared_for_memory(self) -> set[str]:
        """The same for the orders that work already, and for those that risk limits may make."""
        cautious = any(not each.account.paper.extended_hours for each in self._books.values())
        exchanges = set(self._market.exchanges) if cautious else set()
        for books in self._books.values():
            for working in books.working.values():
                if not working.order.extended_hours:
                    exchanges |= self._market.exchange_of(working.order.symbol)
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
            note(command, reply)
            audited = record_of(command, reply)
            if audited is not None:
                self.batch.risk.audit.append(audited)
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
        if isinstance(command, RiskCommand):
            return self.risk.serve(key, books, command)
        reply, changes = self._counter.serve(books, command, self._market_entry)
        for change in changes:
            self._record(key, books, change)
        return reply

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

    def _find(self, command: Command, order_id: OrderId) -> Order | None:
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
        price_of = self._market.price_of
        books = Books(stored.account, stored.mode, self._limits, stored.state, price_of)
        self._books[key] = books
        self.risk.take_up(key, books)
        self._terms_read[stored.account.id] = monotonic()
        self._topic_seqs.update(stored.topic_seqs)
        for symbol, exchange in stored.exchanges.items():
            self._market.list_symbol(symbol, exchange)
        for symbol in {working.order.symbol for working in books.working.values()}:
            self._market.watch(key, books, symbol)
        for holding in books.holdings.values():
            if holding.qty:
                self._holders.setdefault(holding.symbol, set()).add(key)

    def _record(self, key: BooksKey, books: Books, change: Change) -> None:
        self.batch.record(books, change, self._market_entry)
        self.risk.books_changed(key)
        if isinstance(change, CashEntered):
            self.filled.add(key)
            if change.entry.client_entry_id is not None:
                self._entries[key, change.entry.client_entry_id] = change.entry
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
            margin=books.margin.figures(self._market.now()),
        )
