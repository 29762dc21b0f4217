"""For admins alone: providers of market data, and the configuration that rules them."""

from fastapi import APIRouter, Response

from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.provider_schemas import (
    ConfigurationChange,
    MarketDataConfigurationView,
    ProviderList,
)

router = APIRouter(prefix="/admin/market-data", tags=["admin"])

_READ = problems(401, 403, 502, 503)


@router.get(
    "/providers",
    response_model=ProviderList,
    operation_id="listMarketDataProviders",
    summary="Providers of history: health, breaker, the last 60 scores (admin)",
    responses=_READ,
)
async def list_providers(_: Admin, gateway: GatewayState) -> Response:
    return await gateway.market_data.get("/internal/market-data/providers")


@router.get(
    "/configuration",
    response_model=MarketDataConfigurationView,
    operation_id="getMarketDataConfiguration",
    summary="Limits, policies, thresholds and tiers that are in force (admin)",
    responses=_READ,
)
async def get_configuration(_: Admin, gateway: GatewayState) -> Response:
    return await gateway.market_data.get("/internal/market-data/configuration")


@router.put(
    "/configuration",
    response_model=MarketDataConfigurationView,
    operation_id="changeMarketDataConfiguration",
    summary="Swap the whole configuration while the platform runs (admin)",
    description="All of it is checked first; `invalid_configuration` says what is wrong, and "
    "nothing changes. What is left out has its default.",
    responses=problems(400, 401, 403, 409, 413, 422, 502, 503),
)
async def change_configuration(
    caller: Admin, body: ConfigurationChange, gateway: GatewayState
) -> Response:
    return await gateway.market_data.put(
        "/internal/market-data/configuration",
        {**body.model_dump(mode="json"), "requested_by": f"user:{caller.user_id}"},
    )
