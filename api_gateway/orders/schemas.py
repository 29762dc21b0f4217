from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api_gateway.values import (
    ClientOrderId,
    Exact,
    Input,
    PositiveDecimal,
    Symbol,
    UtcTime,
    View,
)
from shared.models.identifiers import Mode
from shared.models.orders import OrderStatus, OrderType, Side, TimeInForce
from shared.service.problems import ProblemBody


class OrderTicket(Input):
    symbol: Annotated[Symbol, Field(examples=["SPY"])]
    side: Side
    type: OrderType
    time_in_force: TimeInForce = "gtc"
    qty: Annotated[PositiveDecimal, Field(examples=["10"])]
    limit_price: Annotated[
        PositiveDecimal | None,
        Field(description="Required for limit orders, forbidden for others.", examples=["501.25"]),
    ] = None
    client_order_id: Annotated[
        ClientOrderId | None,
        Field(
            description="Names the order for the account and mode, for good: sending it again "
            "gives the first answer. Made here when absent.",
            examples=["rebalance-2026-11-20-1"],
        ),
    ] = None
    mode: Mode = "paper"

    @model_validator(mode="after")
    def _check_limit_price(self) -> Self:
        if self.type == "limit" and self.limit_price is None:
            raise ValueError("limit_price is required for a limit order")
        if self.type == "market" and self.limit_price is not None:
            raise ValueError("limit_price is not allowed for a market order")
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
    avg_fill_price: Exact | None
    #: Why it was rejected or cancelled.
    reason_code: str | None
    reason: str | None
    #: Order of submission within the account and mode.
    seq: int
    submitted_at: UtcTime
    updated_at: UtcTime


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


class PositionView(View):
    account_id: UUID
    mode: Mode
    symbol: str
    qty: Exact
    avg_price: Exact
    realized_pnl: Exact
    fees: Exact
    updated_at: UtcTime


class LedgerEntryView(View):
    seq: int
    kind: Literal["deposit", "fill", "fee"]
    amount: Exact
    currency: str
    #: Cash after this entry.
    balance: Exact
    execution_id: UUID | None
    at: UtcTime


OrderFilter = Literal["working"] | OrderStatus
