from decimal import Decimal
from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID

from pydantic import Field, model_validator

from api_gateway.values import (
    ClientOrderId,
    Exact,
    Input,
    MarketTime,
    PositiveDecimal,
    Symbol,
    UtcTime,
    View,
)
from shared.models.identifiers import Mode
from shared.models.orders import (
    GroupRole,
    OrderClass,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from shared.service.problems import ProblemBody

TicketT = TypeVar("TicketT", bound=Input)


class OrderReplacement(Input):
    """What is to change; what is absent stays as it is."""

    qty: PositiveDecimal | None = None
    limit_price: PositiveDecimal | None = None
    stop_price: PositiveDecimal | None = None
    trail_price: PositiveDecimal | None = None
    trail_percent: PositiveDecimal | None = None
    client_order_id: Annotated[
        ClientOrderId | None,
        Field(description="Names the new order: sending it again gives the first answer."),
    ] = None

    @model_validator(mode="after")
    def _check_presence(self) -> Self:
        changes = self.model_dump(exclude={"client_order_id"}, exclude_none=True)
        if not changes:
            raise ValueError("say at least one thing that is to change")
        return self


class Closing(Input):
    client_order_id: Annotated[
        ClientOrderId | None,
        Field(
            description="Names the request: sending it again gives the first orders. The order "
            "of one position has it as its own, each order of all positions has it followed by "
            "`.` and its symbol.",
            examples=["flat-2026-11-20"],
        ),
    ] = None
    cancel_orders: Annotated[
        bool,
        Field(
            description="Cancel the working orders of the symbols first. Those to sell hold the "
            "position: without this, a position that they hold is not closed."
        ),
    ] = False
    mode: Mode = "paper"


class PositionClosing(Closing):
    """Of one position, also of a part of it."""

    qty: Annotated[PositiveDecimal | None, Field(examples=["5"])] = None
    percent: Annotated[
        PositiveDecimal | None,
        Field(description="Of the position, up to 100; rounded down to whole lots."),
    ] = None

    @model_validator(mode="after")
    def _check_part(self) -> Self:
        if self.qty is not None and self.percent is not None:
            raise ValueError("say qty or percent, not both")
        return self


class ProtectionTargetTicket(Input):
    limit_price: PositiveDecimal | None = None
    percent: Annotated[PositiveDecimal | None, Field(examples=["5"])] = None

    @model_validator(mode="after")
    def _check_presence(self) -> Self:
        return _with_one(self, self.limit_price, self.percent)


class ProtectionStopTicket(Input):
    stop_price: PositiveDecimal | None = None
    percent: Annotated[PositiveDecimal | None, Field(examples=["2.5"])] = None
    trail_percent: Annotated[
        PositiveDecimal | None, Field(description="Of the best price since: a trailing stop.")
    ] = None

    @model_validator(mode="after")
    def _check_presence(self) -> Self:
        return _with_one(self, self.stop_price, self.percent, self.trail_percent)


def _with_one(ticket: TicketT, *ways: Decimal | None) -> TicketT:
    if len([each for each in ways if each is not None]) != 1:
        raise ValueError("say a price or a percent, one of them")
    return ticket


class ProtectionTicket(Input):
    """Percents are of the position's average price, 0.1 to 10 in steps of 0.1."""

    take_profit: ProtectionTargetTicket | None = None
    stop_loss: ProtectionStopTicket | None = None
    client_order_id: Annotated[
        ClientOrderId | None,
        Field(description="Names the request: sending it again gives the first orders."),
    ] = None
    mode: Mode = "paper"

    @model_validator(mode="after")
    def _check_presence(self) -> Self:
        if self.take_profit is None and self.stop_loss is None:
            raise ValueError("say take_profit, stop_loss, or both")
        return self


#: Field → types of orders that have it.
_NEEDED: dict[str, tuple[OrderType, ...]] = {
    "limit_price": ("limit", "stop_limit"),
    "stop_price": ("stop", "stop_limit"),
}


class TakeProfitTicket(Input):
    limit_price: Annotated[PositiveDecimal, Field(examples=["520"])]


class StopLossTicket(Input):
    """A stop; with `limit_price` a stop-limit. With a trail instead, a trailing stop."""

    stop_price: Annotated[PositiveDecimal | None, Field(examples=["490"])] = None
    limit_price: PositiveDecimal | None = None
    trail_price: PositiveDecimal | None = None
    trail_percent: PositiveDecimal | None = None

    @model_validator(mode="after")
    def _check_presence(self) -> Self:
        ways = (self.stop_price, self.trail_price, self.trail_percent)
        if len([each for each in ways if each is not None]) != 1:
            raise ValueError("say one of stop_price, trail_price and trail_percent")
        if self.limit_price is not None and self.stop_price is None:
            raise ValueError("limit_price needs stop_price")
        return self


class OrderTicket(Input):
    symbol: Annotated[Symbol, Field(examples=["SPY"])]
    side: Side
    type: OrderType
    time_in_force: TimeInForce = "gtc"
    qty: Annotated[PositiveDecimal | None, Field(examples=["10"])] = None
    notional: Annotated[
        PositiveDecimal | None,
        Field(
            description="An amount of money, in cents, in the place of `qty`: for simple market "
            "orders. The price of the fill decides how many lots that is.",
        ),
    ] = None
    limit_price: Annotated[
        PositiveDecimal | None,
        Field(
            description="Required for limit and stop-limit orders, forbidden for others.",
            examples=["501.25"],
        ),
    ] = None
    stop_price: Annotated[
        PositiveDecimal | None,
        Field(
            description="Required for stop and stop-limit orders, forbidden for others: a print "
            "at or through it triggers the order.",
        ),
    ] = None
    trail_price: Annotated[
        PositiveDecimal | None,
        Field(description="A trailing stop's distance from the best price, as a price."),
    ] = None
    trail_percent: Annotated[
        PositiveDecimal | None,
        Field(
            description="A trailing stop's distance in percent, in steps of 0.01, below 100. "
            "A trailing stop has one of the two.",
        ),
    ] = None
    expires_at: Annotated[
        MarketTime | None,
        Field(description="Required for `gtd`, forbidden otherwise: a whole second, market time."),
    ] = None
    extended_hours: Annotated[
        bool | None,
        Field(
            strict=True,
            description="Whether it fills outside of regular hours too: `true` for simple limit "
            "orders that are day, gtc or gtd. When absent, as the account's paper terms say.",
        ),
    ] = None
    client_order_id: Annotated[
        ClientOrderId | None,
        Field(
            description="Names the order for the account and mode, for good: sending it again "
            "gives the first answer. Made here when absent.",
            examples=["rebalance-2026-11-20-1"],
        ),
    ] = None
    order_class: Annotated[
        OrderClass,
        Field(
            description="`bracket`: an entry with both exits; `oto`: with one of them; `oco`: both "
            "exits of what is held, where `type` is limit and `limit_price` is left to the take "
            "profit.",
        ),
    ] = "simple"
    take_profit: TakeProfitTicket | None = None
    stop_loss: StopLossTicket | None = None
    mode: Mode = "paper"

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if (self.qty is None) == (self.notional is None):
            raise ValueError("say qty or notional, one of them")
        if self.notional is not None and (self.type, self.order_class) != ("market", "simple"):
            raise ValueError("notional is for simple market orders")
        return self

    @model_validator(mode="after")
    def _check_legs(self) -> Self:
        legs = [each for each in (self.take_profit, self.stop_loss) if each is not None]
        wanted = {"simple": 0, "oto": 1}.get(self.order_class, 2)
        if len(legs) != wanted:
            raise ValueError(
                "bracket and oco orders have take_profit and stop_loss, oto orders one of them, "
                "simple orders neither"
            )
        if self.order_class == "oco" and (self.type != "limit" or self.limit_price is not None):
            raise ValueError("an oco order is of type limit, without limit_price")
        return self

    @model_validator(mode="after")
    def _check_presence(self) -> Self:
        kind = self.type.replace("_", "-")
        for name, types in _NEEDED.items():
            if self.order_class == "oco":
                break
            if self.type in types and getattr(self, name) is None:
                raise ValueError(f"{name} is required for a {kind} order")
            if self.type not in types and getattr(self, name) is not None:
                raise ValueError(f"{name} is not allowed for a {kind} order")
        trails = [each for each in (self.trail_price, self.trail_percent) if each is not None]
        if len(trails) != (1 if self.type == "trailing_stop" else 0):
            raise ValueError(
                "a trailing-stop order has trail_price or trail_percent, one of them; "
                "others have neither"
            )
        if (self.expires_at is not None) != (self.time_in_force == "gtd"):
            raise ValueError("expires_at is required for gtd, and not allowed otherwise")
        return self


class OrderView(View):
    id: UUID
    account_id: UUID
    mode: Mode
    client_order_id: str
    #: `user:<id>` or `deployment:<id>`.
    submitted_by: str
    deployment_id: UUID | None
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Exact
    limit_price: Exact | None
    status: OrderStatus
    filled_qty: Exact
    filled_avg_price: Exact | None
    #: Why it was rejected or cancelled.
    reason_code: str | None
    reason: str | None
    #: Order of submission within the account and mode.
    seq: int
    submitted_at: UtcTime
    updated_at: UtcTime
    #: A trailing stop's moves with its mark.
    stop_price: Exact | None
    trail_price: Exact | None
    trail_percent: Exact | None
    #: A trailing stop's mark: the best price since it was taken.
    hwm: Exact | None
    #: What stands before a resting paper order, with the queue model `displayed`.
    queue_ahead: Exact | None
    #: When a print reached the stop.
    triggered_at: UtcTime | None
    #: Market time at which a DAY, GTD, OPG or CLS order ends.
    expires_at: UtcTime | None
    #: Market time at which its cancel, or the order that is to replace it, is at the market: on
    #: accounts with latency.
    due_at: UtcTime | None
    #: It fills outside of regular hours too.
    extended_hours: bool
    #: The order that this one was to replace, and the one that replaced this.
    replaces: UUID | None
    replaced_by: UUID | None
    #: It was made to close the position.
    closes_position: bool
    order_class: OrderClass
    #: Of an order in a group: the id of the group's first order, and what it is for.
    group_id: UUID | None
    group_role: GroupRole | None
    #: An exit whose quantity follows the position.
    protects_position: bool
    #: The amount of money that it is for: its first fill decides `qty`.
    notional: Exact | None
    #: The exits that belong to it, where one order is answered; lists have them as orders.
    legs: tuple["OrderView", ...] = ()


class ProtectionView(View):
    symbol: str
    take_profit: OrderView | None
    stop_loss: OrderView | None


class CancelledOrders(View):
    items: list[OrderView]


class NotClosedView(View):
    symbol: str
    code: str
    message: str


class ClosedPositions(View):
    #: One order a position; a rejected one says why.
    items: list[OrderView]
    #: Positions for which no order could be made.
    not_closed: list[NotClosedView]
    client_order_id: str


class OrderProblem(ProblemBody):
    """Not understood, refused (nothing is stored), or rejected (stored: `order` is there)."""

    order: OrderView | None = None
    #: The bound that refused it, and the value that it saw.
    limit: str | None = None
    observed: str | None = None
    client_order_id: str | None = None


class ExecutionView(View):
    id: UUID
    order_id: UUID
    account_id: UUID
    mode: Mode
    deployment_id: UUID | None
    symbol: str
    side: Side
    qty: Exact
    price: Exact
    fee: Exact
    #: Over the average price, fee not included.
    realized_pnl: Exact
    seq: int
    #: Market time.
    at: UtcTime
    #: Of an instrument in another currency than the account's: the latter for one unit of it, and
    #: the realised profit at that. All else is in the instrument's currency.
    fx_rate: Exact | None
    realized_pnl_base: Exact | None


class PositionView(View):
    account_id: UUID
    mode: Mode
    symbol: str
    qty: Exact
    avg_price: Exact
    realized_pnl: Exact
    fees: Exact
    updated_at: UtcTime


class StrategyPositionView(PositionView):
    #: None for what is traded by hand.
    deployment_id: UUID | None


class LotView(View):
    """What one execution opened, long or (below zero) short."""

    seq: int
    symbol: str
    #: What is open of it.
    qty: Exact
    #: What that cost.
    cost: Exact
    opened_qty: Exact
    price: Exact
    #: Executions.
    opened_by: UUID
    opened_at: UtcTime


class LotClosingView(View):
    """What one execution closed of one lot."""

    lot_seq: int
    closed_by: UUID
    symbol: str
    qty: Exact
    cost: Exact
    proceeds: Exact
    #: Fees not included.
    realized_pnl: Exact
    opened_at: UtcTime
    closed_at: UtcTime


OrderFilter = Literal["working"] | OrderStatus
