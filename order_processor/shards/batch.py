"""What one commit writes, and what is said when it is done. Rows are named like their tables."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import astuple

from order_processor.corporate_actions.faults import Attempt
from order_processor.corporate_actions.records import ActionBatch
from order_processor.position_conversions.records import ConversionRecord
from order_processor.risk.records import RiskBatch
from order_processor.shards.state import Cursors
from shared.models.cash import CashMoved, LedgerEntry
from shared.models.frames import encode_frame
from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.orders import (
    AccountEvent,
    EquityMarked,
    Execution,
    Order,
    Position,
    PositionChanged,
)
from shared.models.risk import RiskChanged
from shared.models.topics import AccountTopicKind, account_topic
from shared.trading.amounts import ZERO
from shared.trading.books import Books
from shared.trading.changes import (
    ActionApplied,
    AnyChange,
    BrokerCompared,
    BrokerNoted,
    CashEntered,
    Difference,
    OrderFilled,
    OrderMoved,
    PositionMoved,
    WorkingOrder,
)
from shared.trading.events import executed, position_of, updated
from shared.trading.halts import HaltState
from shared.trading.lots import Lot, LotChanges, LotClosing
from shared.trading.orders import Transition
from shared.trading.paper_terms import encoded
from shared.trading.positions import Holding
from shared.trading.strategy_positions import Owner


class OrderRecord(Order, frozen=True, kw_only=True, omit_defaults=True):
    """What an order has in common with most others isn't said: reading it takes Postgres longer."""

    reserved: Decimal
    tape_id: str
    #: As JSON.
    paper_terms: msgspec.Raw
    commission: Decimal = ZERO


class PartRecord(Order, frozen=True, kw_only=True):
    """An order of which a part has filled."""

    commission: Decimal


class PositionRecord(Position, frozen=True):
    cost: Decimal


class StrategyPositionRecord(PositionRecord, frozen=True):
    owner: str


class LotRecord(Lot, frozen=True, kw_only=True):
    account_id: UUID
    mode: Mode


class LotClosingRecord(LotClosing, frozen=True, kw_only=True):
    account_id: UUID
    mode: Mode


class LedgerRecord(LedgerEntry, frozen=True, kw_only=True):
    account_id: UUID
    mode: Mode


class ForeignCashRecord(msgspec.Struct, frozen=True):
    account_id: UUID
    mode: Mode
    currency: str
    balance: Decimal
    rate: Decimal


class BrokerOrderRecord(msgspec.Struct, frozen=True):
    order_id: OrderId
    account_id: UUID
    broker_order_id: str | None
    cancel_wanted: bool


class ComparedRecord(msgspec.Struct, frozen=True):
    account_id: UUID
    compared: BrokerCompared


class DifferenceRecord(Difference, frozen=True, kw_only=True):
    account_id: UUID


class EffectRecord(msgspec.Struct, frozen=True):
    action_id: UUID
    account_id: UUID
    mode: Mode
    execution_seq: int
    unit: Decimal
    qty_before: Decimal
    qty_after: Decimal
    realized_pnl: Decimal
    price: Decimal | None
    lots_cost_removed: Decimal


class EventRecord(msgspec.Struct, frozen=True):
    """Frames travel as one text (`Batch.frames`): within JSON each would be quoted here and parsed
    there."""

    seq: int
    account_id: UUID
    topic: str
    topic_seq: int
    #: In bytes of UTF-8, as the column holds it; the first one of the text is 1.
    frame_from: int
    frame_length: int


class MarkRecord(msgspec.Struct, frozen=True):
    symbol: Symbol
    price: Decimal
    at: datetime
    tape_id: str


class QuoteRecord(msgspec.Struct, frozen=True):
    """Zeros where no quote stands any more."""

    symbol: Symbol
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    at_ns: int
    tape_id: str


class HaltRecord(msgspec.Struct, frozen=True):
    symbol: Symbol
    state: HaltState


class MarketRecords(msgspec.Struct, frozen=True):
    """Last prices and quotes that have moved."""

    #: Those that are stored belong to an earlier run: they are deleted first.
    forget_first: bool
    prices: list[MarkRecord]
    quotes: list[QuoteRecord]
    #: All halts, when they have changed; else None.
    halts: list[HaltRecord] | None


class Answer(msgspec.Struct, frozen=True):
    channel: str
    body: bytes


class Frame(msgspec.Struct, frozen=True):
    topic: str
    seq: int
    body: bytes


class Batch:
    """Collects the changes of any number of books in the order in which they happened."""

    def __init__(self, event_seq: int, topic_seqs: dict[str, int]) -> None:
        self.event_seq = event_seq
        self._topic_seqs = topic_seqs
        self.opened: dict[OrderId, OrderRecord] = {}
        self.changed: dict[OrderId, Order] = {}
        #: Of which only the trailing stop moved: stored whenever there is a commit.
        self.moved: dict[OrderId, Order] = {}
        #: Of orders of which a part has filled.
        self._commissions: dict[OrderId, Decimal] = {}
        self.transitions: list[Transition] = []
        self.executions: list[Execution] = []
        self.positions: dict[tuple[UUID, Mode, Symbol], PositionRecord] = {}
        self.strategy_positions: dict[tuple[UUID, Mode, Symbol, str], StrategyPositionRecord] = {}
        self.lots: dict[tuple[UUID, Mode, int], LotRecord] = {}
        self.lot_closings: list[LotClosingRecord] = []
        self.ledger: list[LedgerRecord] = []
        #: By account, mode and currency.
        self.foreign_cash: dict[tuple[UUID, Mode, str], ForeignCashRecord] = {}
        self.events: list[EventRecord] = []
        #: Of each event, in the same order.
        self.frames: list[Frame] = []
        self._frames_length = 0
        self.answers: list[Answer] = []
        self.risk = RiskBatch()
        self.broker_orders: dict[OrderId, BrokerOrderRecord] = {}
        self.compared: list[ComparedRecord] = []
        #: Of splits and dividends.
        self.effects: list[EffectRecord] = []
        self.actions = ActionBatch()
        self.conversions: list[ConversionRecord] = []
        self.attempts: list[Attempt] = []
        #: Commands whose cursor this batch moves.
        self.commands = 0

    @property
    def writes(self) -> bool:
        """Whether the books or the command cursor change: else only the tape has moved on."""
        return bool(
            self.commands
            or self.ledger
            or self.opened
            or self.changed
            or self.risk
            or self.effects
            or self.actions
            or self.broker_orders
        )

    def record(self, books: Books, change: AnyChange, tape_id: str) -> None:
        account = AccountId(books.account.id)
        if isinstance(change, CashEntered):
            self._enter(books, change.entry)
            moved = CashMoved(
                account_id=account, mode=books.mode, entry=change.entry, tape_id=tape_id
            )
            self.tell(account, books.mode, "cash", moved)
            return
        if isinstance(change, BrokerCompared):
            self.compared.append(ComparedRecord(account, change))
            return
        if isinstance(change, ActionApplied):
            self._record_action(account, books.mode, change, tape_id)
            return
        if isinstance(change, PositionMoved):
            self._record_conversion(account, books.mode, change, tape_id)
            return
        order = change.order
        if isinstance(change, BrokerNoted):
            self.broker_orders[order.id] = BrokerOrderRecord(
                order.id, account, change.broker_order_id, change.cancel_wanted
            )
            return
        if isinstance(change, OrderMoved):
            self._keep_moved(order)
            return
        self.transitions.extend(change.transitions)
        told = updated(change, tape_id)
        if isinstance(change, OrderFilled):
            if order.status == "partially_filled":
                self._commissions[order.id] = change.commission
            self._keep(order, None)
            self.tell(account, books.mode, "orders", told)
            self._record_fill(books, change, tape_id)
        else:
            self._keep(order, change.opened)
            self.tell(account, books.mode, "orders", told)

    def _keep(self, order: Order, opened: WorkingOrder | None) -> None:
        known = self.opened.get(order.id)
        commission = self._commissions.get(order.id)
        if opened is not None:
            self.opened[order.id] = OrderRecord(
                *astuple(order),
                reserved=opened.reserved,
                tape_id=opened.tape_id,
                paper_terms=encoded(opened.terms),
            )
        elif known is not None:
            self.opened[order.id] = OrderRecord(
                *astuple(order),
                reserved=known.reserved,
                tape_id=known.tape_id,
                paper_terms=known.paper_terms,
                commission=known.commission if commission is None else commission,
            )
        else:
            if commission is not None:
                order = PartRecord(*astuple(order), commission=commission)
            self.changed[order.id] = order
            self.moved.pop(order.id, None)

    def _keep_moved(self, order: Order) -> None:
        if order.id in self.opened or order.id in self.changed:
            self._keep(order, None)
        else:
            self.moved[order.id] = order

    def _record_action(
        self, account: AccountId, mode: Mode, change: ActionApplied, tape_id: str
    ) -> None:
        split = change.split
        self.attempts.append(Attempt(account, mode, change.action_id, change.attempt))
        self.effects.append(
            EffectRecord(
                change.action_id,
                account,
                mode,
                change.execution_seq,
                change.unit,
                change.qty_before,
                change.qty_after,
                change.realized_pnl,
                None if split is None else split.price,
                ZERO if split is None else split.lots_cost_removed,
            )
        )
        if split is None:
            return
        position = self._keep_position(account, mode, split.holding)
        for owner, own in split.strategy_holdings:
            self._keep_owned(account, mode, own, owner_name(owner))
        self._keep_lots(account, mode, LotChanges(split.lots, ()))
        moved = PositionChanged(position=position, cash=change.cash, tape_id=tape_id)
        self.tell(account, mode, "positions", moved)

    def _record_conversion(
        self, account: AccountId, mode: Mode, change: PositionMoved, tape_id: str
    ) -> None:
        record = ConversionRecord(**_fields(change.conversion), account_id=account, mode=mode)
        self.conversions.append(record)
        position = self._keep_position(account, mode, change.holding)
        for owner, own in change.strategy_holdings:
            self._keep_owned(account, mode, own, owner_name(owner))
        moved = PositionChanged(position=position, cash=change.cash, tape_id=tape_id)
        self.tell(account, mode, "positions", moved)

    def _keep_position(self, account: AccountId, mode: Mode, holding: Holding) -> Position:
        position = position_of(account, mode, holding)
        self.positions[account, mode, position.symbol] = PositionRecord(
            **_fields(position), cost=holding.cost
        )
        return position

    def _keep_owned(self, account: AccountId, mode: Mode, own: Holding, owner: str) -> None:
        self.strategy_positions[account, mode, own.symbol, owner] = StrategyPositionRecord(
            **_fields(position_of(account, mode, own)), cost=own.cost, owner=owner
        )

    def _record_fill(self, books: Books, change: OrderFilled, tape_id: str) -> None:
        account, mode = AccountId(books.account.id), books.mode
        self.executions.append(change.execution)
        for entry in change.entries:
            self._enter(books, entry)
        told = executed(change, tape_id)
        position = self._keep_position(account, mode, change.holding)
        owner = owner_name(change.execution.deployment_id)
        self._keep_owned(account, mode, change.strategy_holding, owner)
        self._keep_lots(account, mode, change.lots)
        self.tell(account, mode, "executions", told)
        moved = PositionChanged(position=position, cash=change.cash, tape_id=tape_id)
        self.tell(account, mode, "positions", moved)

    def _keep_lots(self, account: AccountId, mode: Mode, changes: LotChanges) -> None:
        for lot in changes.lots:
            record = LotRecord(**_fields(lot), account_id=account, mode=mode)
            self.lots[account, mode, lot.seq] = record
        for closing in changes.closings:
            closed = LotClosingRecord(**_fields(closing), account_id=account, mode=mode)
            self.lot_closings.append(closed)

    def _enter(self, books: Books, entry: LedgerEntry) -> None:
        account, mode, currency = books.account.id, books.mode, entry.currency
        self.ledger.append(LedgerRecord(**_fields(entry), account_id=account, mode=mode))
        if entry.rate is not None and currency != books.account.base_currency:
            self.foreign_cash[account, mode, currency] = ForeignCashRecord(
                account, mode, currency, entry.balance, books.rate_used(currency)
            )

    def tell(
        self,
        account: AccountId,
        mode: Mode,
        kind: AccountTopicKind,
        event: AccountEvent | RiskChanged,
    ) -> None:
        topic = account_topic(account, mode, kind)
        topic_seq = self._topic_seqs.get(topic, 0) + 1
        self._topic_seqs[topic] = topic_seq
        self.event_seq += 1
        body = encode_frame(topic, topic_seq, event)
        self.frames.append(Frame(topic, topic_seq, body))
        starts, length = self._frames_length + 1, len(body)
        self._frames_length += length
        self.events.append(EventRecord(self.event_seq, account, topic, topic_seq, starts, length))


class Sealed(msgspec.Struct, frozen=True):
    """A batch to which nothing is added any more, with all that is committed and told with it."""

    batch: Batch
    market: MarketRecords
    #: The shard's row once it is committed.
    cursors: Cursors
    equity: list[EquityMarked]


#: Owner of what is traded by hand.
BY_HAND = "manual"


def owner_name(owner: Owner) -> str:
    return BY_HAND if owner is None else str(owner)


def _fields(row: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(row)
