"""How good the stored candles are. Everyone may look."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api_gateway.dependencies import Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.job_schemas import Tier
from api_gateway.market_data.quality_schemas import QualityTimeframe, QualityView
from api_gateway.market_data.routes import EngineCursor
from api_gateway.paging import Page
from api_gateway.values import MarketDay, Symbol

router = APIRouter(tags=["market data"])


@router.get(
    "/market-data/quality",
    response_model=Page[QualityView],
    operation_id="listMarketDataQuality",
    summary="The quality of candles by symbol and day, from 0 to 100",
    description="By symbol, newest day first; without `symbol` of all that the platform looks "
    "after. A page may have fewer items than `limit` and still a `next_cursor`.",
    responses=problems(401, 422, 502, 503),
)
async def list_quality(
    _: Caller,
    gateway: GatewayState,
    timeframe: QualityTimeframe = "1m",
    symbol: Annotated[list[Symbol] | None, Query(max_length=100)] = None,
    tier: Tier | None = None,
    first: Annotated[
        MarketDay | None, Query(alias="from", description="A week ago when absent.")
    ] = None,
    last: Annotated[
        MarketDay | None,
        Query(alias="to", description="Inclusive; at most 366 days. Today when absent."),
    ] = None,
    below: Annotated[
        float | None, Query(ge=0, le=101, description="Only what scores less.")
    ] = None,
    cursor: EngineCursor = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    return await gateway.market_data.get(
        "/internal/market-data/quality",
        {
            "timeframe": timeframe,
            "symbol": symbol,
            "tier": tier,
            "from": None if first is None else first.isoformat(),
            "to": None if last is None else last.isoformat(),
            "below": below,
            "cursor": cursor,
            "limit": limit,
        },
    )
