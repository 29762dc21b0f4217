"""What happens in the books, as values that can be stored and published."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import msgspec

from shared.models.cash import LedgerEntry
from shared.models.conversions import PositionConversion
from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.orders import Execution, Order
from shared.trading.amounts import ZERO
from shared.trading.ids import named_id, numbered_id
from shared.trading.lots import Lot, LotChanges
from shared.trading.orders import Transition
from shared.trading.paper_terms import PaperTerms
from shared.trading.positions import Holding

_ORDERS = UUID("6f1c2c5e-3a0b-4f57-9d1e-0b8f6f0c9a11")


def order_id_of(account_id: UUID, mode: Mode, client_order_id: str) -> OrderId:
    """The same for the same command, so that one applied again after a crash is recognised."""
    return _order_id_of(account_id.int, mode, client_order_id)  # a number is quick to look up


# An order on its way is asked for several times.
@lru_cache(maxsize=4096)
def _order_id_of(account: int, mode: Mode, client_order_id: str) -> OrderId:
    return OrderId(named_id(_begin_of_names(account, mode) + client_order_id.encode()))


@lru_cache(maxsize=4096)
def _begin_of_names(account: int, mode: Mode) -> bytes:
    return _ORDERS.bytes + f"{UUID(int=account)}/{mode}/".encode()


def execution_id_of(order_id: OrderId, number: int) -> UUID:
    """Of the order's `number`-th execution, from 1."""
    return numbered_id(order_id, number)


class WorkingOrder(msgspec.Struct):
    order: Order
    #: Of the instrument, for the fill's rounding.
    tick: Decimal
    lot: Decimal
    #: Of the account when it was taken.
    terms: PaperTerms
    #: Cash kept for the whole of it. Of a sell, which keeps none, what it is worth at worst in a
    #: margin account, and zero in a cash account.
    reserved: Decimal
    #: Tape entry that had been applied when it was taken.
    tape_id: str
    #: Transitions and executions so far.
    steps: int
    executions: int = 0
    #: The instrument can be sold short.
    shortable: bool = True
    #: Of an exit: what its entry has not filled yet, and so can't be left either.
    withheld: Decimal = ZERO
    #: Of the executions: quantity times price, the fees, and the exact commission behind them.
    value: Decimal = ZERO
    fees: Decimal = ZERO
    commission: Decimal = ZERO
    #: Of a live order: the broker's id of it once it is known, and whether it is to end.
    broker_order_id: str | None = None
    cancel_wanted: bool = False

    @property
    def open_qty(self) -> Decimal:
        """What can fill now."""
        return self.order.qty - self.order.filled_qty - self.withheld

    @property
    def latency(self) -> timedelta:
        """To the market; of a live order that is real. Orders of a group take the same time."""
        if self.order.mode == "live":
            return timedelta()
        return self.terms.latency_of(self.order.group_id or self.order.id)

    def on_its_way(self, at: datetime) -> bool:
        """Whether it has not reached the market yet. A time before it was submitted is one of
        another run."""
        latency, since = self.latency, self.order.submitted_at
        return bool(latency) and since <= at < since + latency


class CashEntered(msgspec.Struct, frozen=True):
    """Not by an execution."""

    entry: LedgerEntry


class OrderChanged(msgspec.Struct, frozen=True):
    """An order was taken, rejected, activated, resized, triggered, cancelled or expired; `order`
    is how it stands."""

    order: Order
    transitions: tuple[Transition, ...]
    cash: Decimal
    #: Set when the order is new.
    opened: WorkingOrder | None = None


class OrderFilled(msgspec.Struct, frozen=True):
    """One execution: the last of the order, or one of several."""

    order: Order
    transitions: tuple[Transition, ...]
    execution: Execution
    holding: Holding
    #: The position of the order's deployment, or of what is traded by hand.
    strategy_holding: Holding
    lots: LotChanges
    entries: tuple[LedgerEntry, ...]
    cash: Decimal
    #: Of the order so far, before its fees were rounded.
    commission: Decimal = ZERO


class SplitPosition(msgspec.Struct, frozen=True):
    """A position as a split left it."""

    holding: Holding
    #: Of each deployment, and by hand (None).
    strategy_holdings: tuple[tuple[UUID | None, Holding], ...]
    #: All that were open before it.
    lots: tuple[Lot, ...]
    #: What was less than a unit was paid for at this price.
    price: Decimal
    #: Of the lots, with what was paid for.
    lots_cost_removed: Decimal


class ActionApplied(msgspec.Struct, frozen=True):
    """A split or dividend has come to these books: never again, whatever else it changes."""

    action_id: UUID
    symbol: Symbol
    #: Number of the last execution before it.
    execution_seq: int
    unit: Decimal
    qty_before: Decimal
    qty_after: Decimal
    #: Profit on what was less than a unit.
    realized_pnl: Decimal
    cash: Decimal
    #: None when no position was split.
    split: SplitPosition | None = None
    #: How often it was to be tried again before.
    attempt: int = 0


class PositionMoved(msgspec.Struct, frozen=True):
    """From one owner to another, within the account."""

    conversion: PositionConversion
    #: As it was, but for its time.
    holding: Holding
    #: Of the two.
    strategy_holdings: tuple[tuple[UUID | None, Holding], ...]
    cash: Decimal


class OrderMoved(msgspec.Struct, frozen=True):
    """A trailing stop followed the market, or others before an order left its queue. To be stored
    with the prints that moved it, and not told: it happens as often as prices do."""

    order: Order


class BrokerNoted(msgspec.Struct, frozen=True):
    """What the broker and we have to do with a live order. Its status has not changed."""

    order: Order
    broker_order_id: str | None
    cancel_wanted: bool


class Difference(msgspec.Struct, frozen=True):
    """Between the books and what the broker says. It is for a person: the books stay."""

    #: `cash`, `position`, `unknown_order`, `filled_after_end`, `works_after_end`, `contradiction`.
    kind: str
    #: A symbol or a client order id; empty for cash.
    subject: str
    ours: str
    theirs: str


class BrokerCompared(msgspec.Struct, frozen=True):
    differences: tuple[Difference, ...]
    #: Cash and all positions were compared: what is not among the differences agrees.
    whole: bool = False


Change = CashEntered | OrderChanged | OrderFilled | OrderMoved
#: What can happen to live books.
LiveChange = Change | BrokerNoted | BrokerCompared | PositionMoved
AnyChange = LiveChange | ActionApplied
