"""One shard in memory: tape entries and commands go in, a batch to commit comes out.

No I/O: what commands name that is not in memory is looked up by the owner first. After a failed
commit the desk is thrown away and built again from the tables.
"""

from collections.abc import Iterable
from decimal import Decimal

from order_processor.brokers.gate import LinkOf, live_fault, nobody
from order_processor.corporate_actions.faults import ActionFaults
from order_processor.corporate_actions.outdated import Outdating
from order_processor.corporate_actions.steward import Steward
from order_processor.errors import UnappliableError
from order_processor.metrics import FILLS
from order_processor.position_conversions import desk as conversions
from order_processor.risk.audit import record_of
from order_processor.risk.loss_limits import SessionDays
from order_processor.risk.officer import RiskOfficer
from order_processor.risk.rules import Rules
from order_processor.shards.acknowledgements import MarkDone
from order_processor.shards.batch import Answer, Batch, Sealed
from order_processor.shards.clock import WallClock, nanoseconds
from order_processor.shards.consumer import CommandEntry
from order_processor.shards.counter import Counter
from order_processor.shards.feed import FedEntry, Prints
from order_processor.shards.fx import Abroad, RateHistory, foreign_cash_of, rates_of
from order_processor.shards.market import Market
from order_processor.shards.memory import Memory
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
from shared.models.conversions import ConvertPosition
from shared.models.identifiers import AccountId, Symbol
from shared.models.market import Halts, Quotes, RunStarted, TimeMark
from shared.models.orders import (
    Command,
    CompareBroker,
    EquityMarked,
    HearBroker,
    Reply,
    SubmitOrder,
)
from shared.models.risk import FollowLimits, RiskCommand
from shared.redis.streams import position
from shared.trading.books import Books
from shared.trading.changes import (
    ActionApplied,
    AnyChange,
    BrokerCompared,
    CashEntered,
    OrderFilled,
    PositionMoved,
    order_id_of,
)
from shared.trading.margin_calls import MarginRules
from shared.trading.terms import Limits, Refused


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
        action_faults: ActionFaults,
        rates: RateHistory,
        risk_exchange: str = "24/7",
        link_of: LinkOf = nobody,
    ) -> None:
        self.shard = shard
        self._link_of = link_of
        self._limits = limits
        cursors = stored.cursors
        self.command_cursor = cursors.command
        self.tape_cursor = cursors.tape
        self._tape_position = position(cursors.tape)
        self._market_entry = cursors.market_entry
        #: Last market mark of the paced run under way; number 0 without one.
        self.mark = MarkDone(cursors.mark_number, cursors.mark_run_id, cursors.market_entry)
        self._topic_seqs: dict[str, int] = {}
        self._holders: dict[Symbol, set[BooksKey]] = {}
        self._market = Market(wall, sessions, stored.last_seen, cursors.market_time_ns)
        self._rules_version = 0
        self._rates = rates
        self._rates_seen = rates.seen
        self._rate_of = rates_of(self._market.last_seen.prices, self._market.now, rates)
        self._abroad = Abroad()
        memory = self._memory = Memory(shard, shards, self._market, sessions)
        self.unprepared_exchanges = memory.unprepared_exchanges
        self.unprepared_for_memory = memory.unprepared_for_memory
        self._counter = Counter(
            self._market,
            sessions,
            memory.instruments,
            memory.find,
            memory.entries,
            memory.currencies,
        )
        self.batch = Batch(cursors.event_seq, self._topic_seqs)
        #: Books whose equity moved with prices, and those that had a fill, since they were told.
        self.moved: set[BooksKey] = set()
        self.filled: set[BooksKey] = set()
        #: Acts on what the risk ladder forbids.
        self.risk = RiskOfficer(
            memory.books,
            self._market,
            memory.instruments,
            self._record,
            lambda: self.batch,
            lambda: self._market_entry,
            stored.halt_done,
            margin_rules,
            lambda: self.mark.run_id,
            SessionDays(sessions, risk_exchange),
        )
        #: Carries out splits and dividends.
        self.corporate = Steward(
            memory.books,
            self._market,
            wall,
            self._record,
            lambda: self.batch,
            action_faults,
            stored.looks,
        )
        self._outdating = Outdating(self.corporate.outdated_before, memory.find)
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
        self._memory.seal()
        return sealed

    def committed(self) -> None:
        """What was sealed is durable. Not to be called between `unknown_to` and the commands'
        application: what is forgotten here must be looked up."""
        self._memory.forget()

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
            self._come_to(body.trades.at_ns[0])
            for key, books, change in self._market.match(body.trades):
                self._record(key, books, change)
            self._market.take_prices(entry.id, body)
            moved: set[BooksKey] = set()
            for symbol in body.last:
                moved |= self._holders.get(symbol, set()) | self._abroad.holders(symbol)
            self.moved |= moved
            self.risk.prices_moved(moved)
            self.risk.check()
        elif isinstance(body, Quotes):
            self._market_entry = entry.id
            if body.at_ns:
                self._come_to(body.at_ns[0])
            for key, books, change in self._market.match_quotes(entry.id, body):
                self._record(key, books, change)
            self.risk.check()
        elif isinstance(body, Halts):
            self._market_entry = entry.id
            for key, books, change in self._market.take_halts(body):
                self._record(key, books, change)
        elif isinstance(body, TimeMark):
            self._apply_mark(entry.id, body)
        elif isinstance(body, RunStarted):
            self._market_entry = entry.id
            for key, books, change in self._market.begin_run(paced=body.paced):
                self._record(key, books, change)
            self.mark = MarkDone(0, "", entry.id)
            self.corporate.begin_run()
        else:
            for key, books, change in self._market.end_run():
                self._record(key, books, change)
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
        self._come_to(mark.at_ns)
        for key, books, change in self._market.expire(mark.at_ns):
            self._record(key, books, change)
        self.risk.check()

    def _come_to(self, at_ns: int) -> None:
        self.corporate.come_to(at_ns)
        self.risk.come_to(at_ns)

    # --- the clock ---------------------------------------------------------------------------

    def expiry_wait_s(self) -> float | None:
        """Until the clock should end an order, or bring a split or dividend, that the tape has not;
        None for never."""
        waits = (self._market.expiry_wait_s(), self.corporate.wait_s())
        return min((each for each in waits if each is not None), default=None)

    def expire_by_clock(self) -> None:
        self.corporate.come_to(nanoseconds(self._market.now()))
        for key, books, change in self._market.expire(nanoseconds(self._market.now())):
            self._record(key, books, change)

    def take_rules(self, rules: Rules) -> None:
        """New limits, or instruments that were changed with them."""
        if rules.version != self._rules_version:
            self._rules_version = rules.version
            self._memory.doubt_instruments()
        self.risk.take_rules(rules)

    def follow_rates(self) -> None:
        """Rates that were set since the last time have moved equity, as prices do."""
        if self._rates.seen != self._rates_seen:
            self._rates_seen = self._rates.seen
            moved = self._abroad.all()
            self.moved |= moved
            self.risk.prices_moved(moved)

    # --- commands ----------------------------------------------------------------------------

    def unknown_to(self, entries: list[CommandEntry]) -> Unknowns:
        """What must be looked up before these commands can be applied."""
        unknown = self._memory.unknown_to(entries)
        for entry in entries:
            if entry.command is not None and not isinstance(entry.command, FollowLimits):
                deployment_id = self._outdating.unknown_to(entry.command)
                if deployment_id is not None:
                    unknown.deployments.add(deployment_id)
        return unknown

    def learn(self, asked: Unknowns, found: Lookup) -> None:
        self._outdating.learn(found.deployments)
        for books in found.books:
            self._take_up(books)
        self._memory.learn(asked, found)

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
        foreign = self._memory.foreign(command)
        if foreign is not None:
            return refusal(command, foreign)
        if isinstance(command, FollowLimits):
            return self.risk.follow(command)
        key = (command.account_id, command.mode)
        books = self._memory.books.get(key)
        if books is None:
            return refusal(command, Refused("not_found", "There is no such account."))
        fault = self._live_fault(command, books) or self._outdating.fault_of(command)
        if fault is not None:
            return refusal(command, fault)
        for opened in books.open(self._market.now()):
            self._record(key, books, opened)
        if isinstance(command, RiskCommand):
            return self.risk.serve(key, books, command)
        if isinstance(command, ConvertPosition):
            return self._convert_position(key, books, command)
        reply, changes = self._counter.serve(books, command, self._market_entry)
        for change in changes:
            self._record(key, books, change)
        return reply

    def _convert_position(self, key: BooksKey, books: Books, command: ConvertPosition) -> Reply:
        memory, now = self._memory, self._market.now(books.mode)
        reply, moved = conversions.serve(
            books, command, memory.conversions, memory.owners, memory.instruments, now
        )
        if moved is not None:
            self._record(key, books, moved)
        return reply

    def _live_fault(self, command: Command, books: Books) -> Refused | None:
        if command.mode == "paper":
            if isinstance(command, HearBroker | CompareBroker):
                return Refused("mode_not_available", "Paper books have no broker.")
            return None
        if isinstance(command, SubmitOrder):
            name = command.client_order_id
            if self._memory.find(command, order_id_of(command.account_id, command.mode, name)):
                return None  # it came again: it gets its first answer
        link = self._link_of(command.account_id)
        paced = self._market.time_ns is not None
        return live_fault(command, link, books_open=books.is_open, market_live=not paced)

    def _poison_reply(self, command: Command) -> Reply:
        return refusal(command, Refused("internal_error", "The command could not be carried out."))

    # --- memory ------------------------------------------------------------------------------

    def missing(self, keys: Iterable[BooksKey]) -> set[BooksKey]:
        return {key for key in keys if key not in self._memory.books}

    def _take_up(self, stored: StoredBooks) -> None:
        key = (stored.account.id, stored.mode)
        if key in self._memory.books:
            return

        def price_of(symbol: Symbol) -> Decimal | None:
            return self._market.price_for(books, symbol)

        books = Books(
            stored.account, stored.mode, self._limits, stored.state, price_of, self._rate_of
        )
        self._memory.take_up(key, books)
        self._abroad.note(key, books)
        self.risk.take_up(key, books)
        self.corporate.take_up(key, stored.actions)
        self._topic_seqs.update(stored.topic_seqs)
        for symbol, exchange in stored.exchanges.items():
            self._market.list_symbol(symbol, exchange)
        for symbol in {working.order.symbol for working in books.working.values()}:
            self._watch(key, books, symbol)
        for holding in books.holdings.values():
            if holding.qty:
                self._holders.setdefault(holding.symbol, set()).add(key)

    def _watch(self, key: BooksKey, books: Books, symbol: Symbol) -> None:
        """Live orders are their broker's to fill and to end."""
        if books.mode == "paper":
            self._market.watch(key, books, symbol)

    def _record(self, key: BooksKey, books: Books, change: AnyChange) -> None:
        self.batch.record(books, change, self._market_entry)
        if isinstance(change, BrokerCompared):
            return
        self.risk.books_changed(key)
        if isinstance(change, ActionApplied):
            self.filled.add(key)
            return
        if isinstance(change, PositionMoved):
            name = (key, change.conversion.client_conversion_id)
            self._memory.conversions[name] = change.conversion
            return
        if isinstance(change, CashEntered):
            self.filled.add(key)
            if change.entry.rate is not None:
                self._abroad.note(key, books)
            if change.entry.client_entry_id is not None:
                self._memory.entries[key, change.entry.client_entry_id] = change.entry
            return
        order = change.order
        if order.id not in books.working:
            self._memory.ended[order.id] = order
        self._watch(key, books, order.symbol)
        if isinstance(change, OrderFilled):
            FILLS.inc()
            if change.execution.fx_rate is not None:
                self._abroad.note(key, books)
            self.filled.add(key)
            holders = self._holders.setdefault(order.symbol, set())
            if change.holding.qty:
                holders.add(key)
            else:
                holders.discard(key)

    def equity_of(self, key: BooksKey) -> EquityMarked:
        books = self._memory.books[key]
        prices: dict[Symbol, Decimal] = {}
        for symbol, holding in books.holdings.items():
            price = self._market.price_for(books, symbol)
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
            foreign_cash=foreign_cash_of(books),
        )
