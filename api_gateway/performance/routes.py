from typing import Annotated

from fastapi import APIRouter, Query, Response

from api_gateway.dependencies import GatewayState, ReadableAccount
from api_gateway.documentation import problems
from api_gateway.performance.schemas import PerformanceView
from shared.models.identifiers import Mode, Timeframe

router = APIRouter(prefix="/accounts/{account_id}", tags=["performance"])


@router.get(
    "/performance",
    response_model=PerformanceView,
    operation_id="getPerformance",
    summary="Metrics and equity curve",
    responses=problems(401, 404, 409, 422, 502, 503),
)
async def get_performance(
    scope: ReadableAccount,
    gateway: GatewayState,
    mode: Mode = "paper",
    timeframe: Annotated[Timeframe, Query(description="Distance of the curve's points.")] = "1m",
    max_points: Annotated[int, Query(ge=2, le=20_000)] = 2000,
) -> Response:
    return await gateway.analytics.get(
        "/internal/performance",
        {
            "account_id": str(scope.account_id),
            "mode": mode,
            "timeframe": timeframe,
            "max_points": max_points,
        },
    )
