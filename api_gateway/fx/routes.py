"""Rates of exchange."""

from typing import Annotated

from fastapi import APIRouter, Path

from api_gateway.dependencies import Admin, Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.fx.schemas import FxRateSetting, FxRateView
from api_gateway.paging import CursorText, Limit, Page
from api_gateway.values import Currency

router = APIRouter(prefix="/fx-rates", tags=["market data"])

CurrencyPath = Annotated[Currency, Path(examples=["EUR"])]
QuotePath = Annotated[Currency, Path(examples=["USD"])]


@router.put(
    "/{currency}/{quote_currency}",
    operation_id="setFxRate",
    summary="Set the rate of one currency in another (admin)",
    description="Adds to the history: what was done at an earlier rate keeps it. 422 "
    "`rate_of_future`, `invalid_pair`.",
    responses=problems(400, 401, 403, 413, 422, 503),
)
def set_rate(
    caller: Admin,
    currency: CurrencyPath,
    quote_currency: QuotePath,
    body: FxRateSetting,
    gateway: GatewayState,
) -> FxRateView:
    return gateway.fx.set_rate(caller.user_id, currency, quote_currency, body)


@router.get(
    "",
    operation_id="listFxRates",
    summary="Rates that were set, the last one first",
    description="Pairs that trade, such as EURUSD, have rates besides these: their last prices.",
    responses=problems(401, 422, 503),
)
def list_rates(
    _caller: Caller,
    gateway: GatewayState,
    currency: Currency | None = None,
    quote_currency: Currency | None = None,
    cursor: CursorText = None,
    limit: Limit = 100,
) -> Page[FxRateView]:
    return gateway.fx.rates(currency, quote_currency, cursor, limit)
