"""HTTP shapes of data jobs."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from market_data_engine.providers.configuration import Tier

JobKind = Literal["backfill", "bars_fetch", "fold"]
JobStatus = Literal["queued", "running", "done", "dead"]


class JobRequest(BaseModel):
    kind: Literal["backfill", "bars_fetch"]
    symbols: list[str] = Field(min_length=1, max_length=1000)
    start: AwareDatetime
    #: Exclusive.
    end: AwareDatetime
    tier: Tier = "T2"
    requested_by: str = Field(min_length=1, max_length=200)


class Job(BaseModel):
    id: UUID
    kind: JobKind
    tier: Tier
    symbol: str
    start: datetime
    end: datetime
    status: JobStatus
    attempts: int
    not_before: datetime
    provider: str | None
    candles: int | None
    problem: str | None
    requested_by: str
    created_at: datetime
    updated_at: datetime


class JobList(BaseModel):
    items: list[Job]
    next_cursor: str | None


class JobsAdded(BaseModel):
    #: Jobs that were added; what waits already isn't added again.
    added: int


class DeadOrder(BaseModel):
    """An entry of the stream of jobs that can't be done."""

    id: str
    #: Its id on the stream of jobs.
    order_id: str
    reason: str
    body: str


class DeadOrderList(BaseModel):
    items: list[DeadOrder]
    next_cursor: str | None


class Requeue(BaseModel):
    tier: Tier | None = None


class Requeued(BaseModel):
    requeued: int


class TierStatistics(BaseModel):
    tier: Tier
    queued: int = 0
    running: int = 0
    done: int = 0
    dead: int = 0
    #: Jobs that may wait.
    room: int
    #: Since when the oldest one waits.
    oldest_queued_at: datetime | None = None


class JobStatistics(BaseModel):
    tiers: list[TierStatistics]
