from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.values import BasisPoints, Capital, Currency, Exact, Input, Title, UtcTime, View
from shared.models.identifiers import Mode


class AccountOpening(Input):
    name: Annotated[Title, Field(description="Unique among your accounts.", examples=["Swing"])]
    base_currency: Annotated[Currency, Field(description="ISO 4217.")] = "USD"
    paper_capital: Annotated[
        Capital, Field(description="Cash that the paper books open with.", examples=["100000"])
    ] = Decimal(100_000)
    paper_fee_bps: Annotated[
        BasisPoints, Field(description="Fee of paper fills: 1/10,000 of notional.")
    ] = Decimal(1)
    paper_slippage_bps: Annotated[
        BasisPoints, Field(description="How much worse paper fills are: 1/10,000 of price.")
    ] = Decimal(1)


class AccountView(View):
    id: UUID
    owner_id: UUID
    name: str
    base_currency: str
    status: Literal["active", "closed"]
    paper_capital: Exact
    paper_fee_bps: Exact
    paper_slippage_bps: Exact
    created_at: UtcTime


class OpenPosition(View):
    symbol: str
    qty: Exact
    avg_price: Exact
    #: None while no price is known: the position then counts at its average price.
    last_price: Exact | None
    market_value: Exact
    unrealized_pnl: Exact
    realized_pnl: Exact
    fees: Exact


class Portfolio(View):
    account_id: UUID
    mode: Mode
    base_currency: str
    cash: Exact
    #: Cash and positions at their last prices.
    equity: Exact
    unrealized_pnl: Exact
    #: Of all positions, the flat ones included; fees not deducted.
    realized_pnl: Exact
    fees: Exact
    positions: list[OpenPosition]
