"""For admins alone: jobs that fetch and heal market data, the dead ones among them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response

from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems
from api_gateway.market_data.job_schemas import (
    DataJobRequest,
    DataJobsAdded,
    DataJobsRequeue,
    DataJobsRequeued,
    DataJobStatistics,
    DataJobView,
    JobStatus,
    Tier,
    UndeliverableJobView,
)
from api_gateway.market_data.routes import EngineCursor
from api_gateway.paging import Page

router = APIRouter(prefix="/admin/market-data/jobs", tags=["admin"])

_BEHIND = "/internal/market-data/jobs"
_WRITE = problems(400, 401, 403, 409, 413, 422, 502, 503)
_ONE = problems(401, 403, 404, 409, 422, 502, 503)


@router.post(
    "",
    status_code=202,
    response_model=DataJobsAdded,
    operation_id="addDataJobs",
    summary="Ask the providers for past candles (admin)",
    description="One job for each symbol and session. All are added, or none when a tier's queue "
    "is full.",
    responses=_WRITE,
)
async def add_jobs(caller: Admin, body: DataJobRequest, gateway: GatewayState) -> Response:
    asked = {**body.model_dump(mode="json"), "requested_by": f"user:{caller.user_id}"}
    return await gateway.market_data.post(_BEHIND, asked)


@router.get(
    "",
    response_model=Page[DataJobView],
    operation_id="listDataJobs",
    summary="Jobs, newest first; the dead ones with `status=dead` (admin)",
    responses=problems(401, 403, 422, 502, 503),
)
async def list_jobs(
    _: Admin,
    gateway: GatewayState,
    status: JobStatus | None = None,
    tier: Tier | None = None,
    cursor: EngineCursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    return await gateway.market_data.get(
        _BEHIND, {"status": status, "tier": tier, "cursor": cursor, "limit": limit}
    )


@router.get(
    "/undeliverable",
    response_model=Page[UndeliverableJobView],
    operation_id="listUndeliverableDataJobs",
    summary="What programs put on the stream of jobs and can't be done, newest first (admin)",
    responses=problems(401, 403, 422, 502, 503),
)
async def list_undeliverable(
    _: Admin,
    gateway: GatewayState,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    return await gateway.market_data.get(
        f"{_BEHIND}/undeliverable", {"cursor": cursor, "limit": limit}
    )


@router.get(
    "/statistics",
    response_model=DataJobStatistics,
    operation_id="getDataJobStatistics",
    summary="How many jobs of each tier wait, are done, are dead (admin)",
    responses=problems(401, 403, 502, 503),
)
async def get_statistics(_: Admin, gateway: GatewayState) -> Response:
    return await gateway.market_data.get(f"{_BEHIND}/statistics")


@router.post(
    "/requeue",
    response_model=DataJobsRequeued,
    operation_id="requeueDataJobs",
    summary="Put all dead jobs of a tier, or of all, on the queue again (admin)",
    responses=_WRITE,
)
async def requeue_all(
    _: Admin,
    body: Annotated[DataJobsRequeue, Body(examples=[{"tier": "T0"}])],
    gateway: GatewayState,
) -> Response:
    return await gateway.market_data.post(f"{_BEHIND}/requeue", body.model_dump())


@router.post(
    "/{job_id}/requeue",
    response_model=DataJobView,
    operation_id="requeueDataJob",
    summary="Put a dead job on the queue again (admin)",
    responses=_ONE,
)
async def requeue(_: Admin, job_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.market_data.post(f"{_BEHIND}/{job_id}/requeue")


@router.delete(
    "/{job_id}",
    status_code=204,
    response_class=Response,
    operation_id="removeDataJob",
    summary="Remove a dead job; what it was for counts as missing again (admin)",
    responses=_ONE,
)
async def remove(_: Admin, job_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.market_data.delete(f"{_BEHIND}/{job_id}", {})
