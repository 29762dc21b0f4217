"""For admins alone: the symbols that are looked after, as a list or as CSV."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.job_schemas import Tier
from api_gateway.market_data.universe_schemas import UniverseView
from api_gateway.values import Symbol

router = APIRouter(prefix="/admin/market-data/universe", tags=["admin"])

_BEHIND = "/internal/market-data/universe"


@router.get(
    "",
    response_model=UniverseView,
    operation_id="getUniverse",
    summary="Symbols that are looked after, their tiers and how often (admin)",
    description="With `format=csv` all configured ones in the layout that can be put back.",
    responses=problems(401, 403, 422, 502, 503),
)
async def get_universe(
    _: Admin,
    gateway: GatewayState,
    tier: Tier | None = None,
    cursor: Annotated[Symbol | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    layout: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    return await gateway.market_data.get(
        _BEHIND, {"tier": tier, "cursor": cursor, "limit": limit, "format": layout}
    )


@router.put(
    "",
    response_model=UniverseView,
    operation_id="replaceUniverse",
    summary="Replace the members of all tiers by a table (admin)",
    description="CSV with the columns symbol and tier (T0, T1, T2). It is checked row by row; when "
    "anything is wrong nothing changes, and `errors` tells the first 50 rows. It becomes the next "
    "version of the configuration, whose other parts stay.",
    responses=problems(400, 401, 403, 409, 413, 422, 502, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "symbol,tier\nAAPL,T0\nSPY,T1\n",
                }
            },
        }
    },
)
async def replace_universe(caller: Admin, request: Request, gateway: GatewayState) -> Response:
    return await gateway.market_data.put_stream(
        _BEHIND,
        request,
        gateway.settings.upload_timeout_s,
        {"requested_by": f"user:{caller.user_id}"},
    )
