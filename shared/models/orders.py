"""Order commands, their replies, and account events.

Commands are imperative, events past tense. Money, prices and quantities are `Decimal`,
strings on the wire.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from shared.models.base import Message
from shared.models.brokers import BrokerAccount, BrokerPosition, BrokerUpdate
from shared.models.cash import (
    CashMoved,
    CashReply,
    ConversionReply,
    ConvertCash,
    ForeignCashMarked,
    MoveCash,
)
from shared.models.conversions import ConvertPosition, PositionConversionReply
from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.margin import MarginFigures
from shared.models.risk import FollowLimits, LimitsFollowed, Origin, RiskCommand, RiskReply

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
#: OPG and CLS wait for the opening and the closing auction.
TimeInForce = Literal["day", "gtc", "gtd", "ioc", "fok", "opg", "cls"]
#: Bracket: an entry with two exits; OTO: with one. OCO: two exits of what is held already.
OrderClass = Literal["simple", "bracket", "oco", "oto"]
GroupRole = Literal["entry", "take_profit", "stop_loss"]
OrderStatus = Literal[
    "new",
    # An exit that waits for its entry to fill.
    "held",
    "accepted",
    "partially_filled",
    "filled",
    "cancelled",
    "rejected",
    "expired",
    "replaced",
]


# --- what users and strategies ask for -------------------------------------------------------


class TakeProfit(msgspec.Struct, frozen=True, kw_only=True):
    limit_price: Decimal


class StopLoss(msgspec.Struct, frozen=True, kw_only=True):
    """A stop, with a limit price a stop-limit; or a trailing stop, by one of the two distances."""

    stop_price: Decimal | None = None
    limit_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None


class SubmitOrder(Message, frozen=True, tag="submit_order"):
    """At most one order for a (account, mode, client_order_id), however often it is sent.

    Of another class than simple, it makes a group of orders in one step: the exits have the
    order's client order id followed by `.take_profit` and `.stop_loss`.
    """

    request_id: str
    #: Redis channel that the answer goes to.
    reply_to: str
    account_id: AccountId
    mode: Mode
    client_order_id: str
    #: `user:<uuid>` or `deployment:<uuid>`.
    submitted_by: str
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None = None
    deployment_id: UUID | None = None
    stop_price: Decimal | None = None
    #: A trailing stop has one of the two: a distance in price, or in percent of the mark.
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    #: Of a GTD order, a whole second of market time.
    expires_at: datetime | None = None
    order_class: OrderClass = "simple"
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    origin: Origin | None = None
    #: An amount of money in the place of a quantity, which is zero then. For market orders.
    notional: Decimal | None = None
    #: Whether it fills outside of regular hours too; None: as the account's paper terms say.
    extended_hours: bool | None = None


class CancelOrder(Message, frozen=True, tag="cancel_order"):
    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    order_id: OrderId
    submitted_by: str
    origin: Origin | None = None


class CancelOrders(Message, frozen=True, tag="cancel_orders"):
    """Cancel all working orders, or those in one symbol."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    submitted_by: str
    symbol: Symbol | None = None
    origin: Origin | None = None


class ReplaceOrder(Message, frozen=True, tag="replace_order"):
    """A new order takes the place of a working one, in one step. What is None stays as it is.

    At most one replacement for a (account, mode, client_order_id), however often it is sent.
    """

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    order_id: OrderId
    #: Of the new order.
    client_order_id: str
    submitted_by: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    origin: Origin | None = None


class ClosePositions(Message, frozen=True, tag="close_positions"):
    """Sell what is held, or buy back what is short, at the market: of one symbol (also a part of
    it), or of all.

    Of one, the order has this client order id; of all, each has it followed by `.` and its
    symbol. Sent again, it gives the first orders and makes none.
    """

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    client_order_id: str
    submitted_by: str
    symbol: Symbol | None = None
    #: Cancel the working orders of the symbols first: those to sell hold the position.
    cancel_orders: bool = False
    #: Of one symbol, at most one of the two: a part of it, or percent of it (above 0, up to 100),
    #: rounded down to whole lots.
    qty: Decimal | None = None
    percent: Decimal | None = None
    origin: Origin | None = None
    #: For whom it is closed; None when it is nobody's strategy.
    deployment_id: UUID | None = None


class ProtectionTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two. Percents are of the position's average price, 0.1 to 10 in steps of 0.1."""

    limit_price: Decimal | None = None
    percent: Decimal | None = None


class ProtectionStop(msgspec.Struct, frozen=True, kw_only=True):
    """One of the three."""

    stop_price: Decimal | None = None
    percent: Decimal | None = None
    #: Of the best price since: a trailing stop.
    trail_percent: Decimal | None = None


class ProtectPosition(Message, frozen=True, tag="protect_position"):
    """Exits that follow the position's quantity until it is closed. They take the place of those
    that protect it already. Sent again, it gives the first orders and changes nothing."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    client_order_id: str
    submitted_by: str
    symbol: Symbol
    take_profit: ProtectionTarget | None = None
    stop_loss: ProtectionStop | None = None
    origin: Origin | None = None


class OpenBooks(Message, frozen=True, tag="open_books"):
    """Make an account's books, with its first deposit. Repeating it changes nothing."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode


class HearBroker(Message, frozen=True, tag="hear_broker"):
    """What the broker says of one order of a live account. Hearing it again changes nothing."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    update: BrokerUpdate


class CompareBroker(Message, frozen=True, tag="compare_broker"):
    """What a live account has at its broker, when all before it has been said. The first one opens
    the books; later ones change nothing but the list of differences."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    account: BrokerAccount
    positions: tuple[BrokerPosition, ...]


BooksCommand = (
    SubmitOrder
    | CancelOrder
    | CancelOrders
    | ReplaceOrder
    | ClosePositions
    | ProtectPosition
    | MoveCash
    | ConvertCash
    | OpenBooks
    | HearBroker
    | CompareBroker
)
Command = BooksCommand | ConvertPosition | RiskCommand | FollowLimits


# --- what they are told ----------------------------------------------------------------------


class Order(msgspec.Struct, frozen=True):
    id: OrderId
    account_id: AccountId
    mode: Mode
    client_order_id: str
    submitted_by: str
    deployment_id: UUID | None
    symbol: Symbol
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None
    status: OrderStatus
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    reason_code: str | None
    reason: str | None
    seq: int
    submitted_at: datetime
    updated_at: datetime
    #: A trailing stop's moves with its mark; None while it has none.
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    #: Best price since a trailing stop was taken: highest for a sell, lowest for a buy.
    hwm: Decimal | None = None
    #: What stands before an order that rests at its limit; None where that isn't followed.
    queue_ahead: Decimal | None = None
    #: When a print reached the stop.
    triggered_at: datetime | None = None
    #: Market time at which a DAY, GTD, OPG or CLS order ends.
    expires_at: datetime | None = None
    #: Market time at which its cancel, or the order that is to replace it, is at the market.
    due_at: datetime | None = None
    #: The order that this one was to replace, and the one that replaced this.
    replaces: OrderId | None = None
    replaced_by: OrderId | None = None
    #: It was made to close the position.
    closes_position: bool = False
    order_class: OrderClass = "simple"
    #: Of an order in a group: the id of the group's first order, for good, and what it is for.
    group_id: OrderId | None = None
    group_role: GroupRole | None = None
    #: An exit whose quantity follows the position.
    protects_position: bool = False
    #: The amount of money that it is for: until its first fill `qty` is what that was at the last
    #: price when it was taken.
    notional: Decimal | None = None
    #: It fills outside of regular hours too.
    extended_hours: bool = True


class Execution(msgspec.Struct, frozen=True, omit_defaults=True):
    id: UUID
    order_id: OrderId
    account_id: AccountId
    mode: Mode
    deployment_id: UUID | None
    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    realized_pnl: Decimal
    seq: int
    at: datetime
    #: Of an instrument in another currency than the account's: the latter for one unit of it, and
    #: the realised profit at that.
    fx_rate: Decimal | None = None
    realized_pnl_base: Decimal | None = None


class Position(msgspec.Struct, frozen=True):
    account_id: AccountId
    mode: Mode
    symbol: Symbol
    qty: Decimal
    avg_price: Decimal
    realized_pnl: Decimal
    fees: Decimal
    updated_at: datetime


class OrderReply(Message, frozen=True, tag="order_reply"):
    """The order as it stands after the commit. A rejected one carries its reason."""

    request_id: str
    order: Order
    #: The command was a repetition: this is the first answer's order.
    repeated: bool = False
    #: The other orders of the group that the command made.
    legs: tuple[Order, ...] = ()


class NotClosed(msgspec.Struct, frozen=True):
    symbol: Symbol
    code: str
    message: str


class OrdersReply(Message, frozen=True, tag="orders_reply"):
    """The orders that a command for many made or ended, as they stand after the commit."""

    request_id: str
    orders: list[Order]
    #: Positions for which no order could be made.
    not_closed: tuple[NotClosed, ...] = ()
    repeated: bool = False


class BooksReply(Message, frozen=True, tag="books_reply"):
    request_id: str
    cash: Decimal


class Refusal(Message, frozen=True, tag="refusal"):
    """Nothing was stored. `code` is stable, `message` is a sentence for people."""

    request_id: str
    code: str
    message: str
    #: The limit that refused it and the value it saw, where there are such.
    limit: str | None = None
    observed: str | None = None
    #: Of the risk ladder, when one of its limits refused it.
    level: str | None = None


Reply = (
    OrderReply
    | OrdersReply
    | CashReply
    | ConversionReply
    | PositionConversionReply
    | BooksReply
    | RiskReply
    | LimitsFollowed
    | Refusal
)


# --- what happened: frames of the account topics ---------------------------------------------


class OrderUpdated(Message, frozen=True, tag="order"):
    order: Order
    event: OrderStatus
    #: Tape entry that the shard had come to: orders events against market data.
    tape_id: str
    cash: Decimal


class OrderExecuted(Message, frozen=True, tag="execution"):
    execution: Execution
    order: Order
    #: The position after it.
    position: Position
    #: Cash after it, fee paid.
    cash: Decimal
    tape_id: str


class PositionChanged(Message, frozen=True, tag="position"):
    position: Position
    cash: Decimal
    tape_id: str


class EquityMarked(Message, frozen=True, tag="equity"):
    """Cash plus positions at the last prices. Worthless a second later: not stored."""

    account_id: AccountId
    mode: Mode
    at: datetime
    cash: Decimal
    equity: Decimal
    unrealized_pnl: Decimal
    #: symbol → last price.
    prices: dict[str, Decimal]
    #: Of a margin account; None of a cash account.
    margin: MarginFigures | None = None
    #: By currency, where something is held in another than the account's: all above but `prices` is
    #: in that one, at these rates.
    foreign_cash: dict[str, ForeignCashMarked] | None = None


AccountEvent = OrderUpdated | OrderExecuted | PositionChanged | CashMoved
