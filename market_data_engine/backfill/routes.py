"""HTTP edge of data jobs."""

from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query
from redis.asyncio import Redis

from market_data_engine.backfill.actions import DataJobs
from market_data_engine.backfill.intake import dead_orders
from market_data_engine.backfill.schemas import (
    DeadOrderList,
    Job,
    JobList,
    JobRequest,
    JobsAdded,
    JobStatistics,
    JobStatus,
    Requeue,
    Requeued,
)
from market_data_engine.errors import Refused
from market_data_engine.providers.configuration import Tier
from shared.service.problems import Problem, not_found

T = TypeVar("T")

_STATUS = {"no_history_providers": 409, "queue_full": 409, "job_not_dead": 409}


def job_routes(jobs: DataJobs, redis: Redis) -> APIRouter:
    router = APIRouter(prefix="/internal/market-data/jobs")

    @router.post("", status_code=202)
    async def add(request: JobRequest) -> JobsAdded:
        return _done(await jobs.add(request))

    @router.get("")
    async def newest(
        status: JobStatus | None = None,
        tier: Tier | None = None,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> JobList:
        return _done(await jobs.listed(status, tier, cursor, limit))

    @router.get("/undeliverable")
    async def undeliverable(
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DeadOrderList:
        return await dead_orders(redis, cursor, limit)

    @router.get("/statistics")
    async def statistics() -> JobStatistics:
        return await jobs.statistics()

    @router.post("/requeue")
    async def requeue_all(body: Requeue) -> Requeued:
        return Requeued(requeued=await jobs.requeue_all(body.tier))

    @router.post("/{job_id}/requeue")
    async def requeue(job_id: UUID) -> Job:
        job = await jobs.requeue(job_id)
        if job is None:
            raise not_found("job")
        return _done(job)

    @router.delete("/{job_id}", status_code=204)
    async def remove(job_id: UUID) -> None:
        if not _done(await jobs.remove(job_id)):
            raise not_found("job")

    return router


def _done(outcome: T | Refused) -> T:
    if isinstance(outcome, Refused):
        raise Problem(_STATUS.get(outcome.code, 422), outcome.code, outcome.message)
    return outcome
