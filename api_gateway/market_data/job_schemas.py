"""Shapes of data jobs."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.values import Input, MarketTime, Symbol, UtcTime, View

Tier = Literal["T0", "T1", "T2"]
JobStatus = Literal["queued", "running", "done", "dead"]


class DataJobRequest(Input):
    kind: Annotated[
        Literal["backfill", "bars_fetch"],
        Field(description="What is missing of the range, or all of it anew."),
    ] = "backfill"
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=1000, examples=[["AAPL"]])]
    start: Annotated[MarketTime, Field(examples=["2026-03-19T13:30:00Z"])]
    end: Annotated[
        MarketTime,
        Field(description="Exclusive; at most 31 days.", examples=["2026-03-19T20:00:00Z"]),
    ]
    tier: Tier = "T2"


class DataJobView(View):
    id: UUID
    #: `fold`: larger candles are made anew of one-minute candles that were healed.
    kind: Literal["backfill", "bars_fetch", "fold"]
    tier: Tier
    symbol: str
    start: UtcTime
    #: Exclusive.
    end: UtcTime
    status: JobStatus
    #: Times that providers who were asked failed.
    attempts: int
    not_before: UtcTime
    #: Who answered.
    provider: str | None
    #: Candles that this has changed.
    candles: int | None
    #: Why it waits or is dead, in one sentence.
    problem: str | None
    requested_by: str
    created_at: UtcTime
    updated_at: UtcTime


class UndeliverableJobView(View):
    id: str = Field(examples=["1774000000000-0"])
    #: Its id on the stream of jobs.
    order_id: str
    #: Why it can't be done, in one sentence.
    reason: str
    body: str


class DataJobsAdded(View):
    #: What waits already isn't added again.
    added: int


class DataJobsRequeue(Input):
    #: All tiers when absent.
    tier: Tier | None = None


class DataJobsRequeued(View):
    requeued: int


class TierStatistics(View):
    tier: Tier
    queued: int
    running: int
    done: int
    dead: int
    #: Jobs that the queue still takes.
    room: int
    oldest_queued_at: UtcTime | None


class DataJobStatistics(View):
    tiers: list[TierStatistics]
