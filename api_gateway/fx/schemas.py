from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api_gateway.values import Currency, Exact, Input, MarketTime, PositiveDecimal, UtcTime, View


class FxRateSetting(Input):
    rate: Annotated[
        PositiveDecimal,
        Field(
            ge=Decimal("1e-9"),
            le=10**9,
            description="Of the quote currency, for one unit of the other.",
            examples=["1.0865"],
        ),
    ]
    at: Annotated[
        MarketTime | None,
        Field(description="From when on it holds: not later than now, which is the default."),
    ] = None


class FxRateView(View):
    id: int
    currency: Currency
    quote_currency: Currency
    rate: Exact
    #: From when on it holds.
    at: UtcTime
    set_by: UUID
    recorded_at: UtcTime
