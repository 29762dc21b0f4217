"""The queue of data jobs: added within a tier's bound, listed, put back, removed.

Jobs are rows, so they survive any process; one engine at a time works on them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine

from market_data_engine.backfill import repository
from market_data_engine.backfill.repository import NewJob
from market_data_engine.backfill.schemas import Job, JobList, JobStatistics, JobStatus
from market_data_engine.metrics import JOBS_QUEUED, JOBS_REFUSED
from market_data_engine.providers.configuration import Tier
from shared.database import DatabaseThread
from shared.database.tables import utc_now

T = TypeVar("T")

#: Jobs of a tier that may wait.
CAPS: Final[Mapping[Tier, int]] = {"T0": 5_000, "T1": 10_000, "T2": 20_000}


class QueueFullError(Exception):
    """Nothing was added. What is missing is found again by the next sweep."""


class JobQueue:
    def __init__(
        self,
        engine: Engine,
        thread: DatabaseThread,
        caps: Mapping[Tier, int] = CAPS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._thread = thread
        self._caps = caps
        self.now = now

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """All of it or nothing."""

        def run() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await self._thread.run(run)

    async def add(self, jobs: Sequence[NewJob]) -> int:
        """All or QueueFullError; how many didn't wait already."""

        def work(connection: Connection) -> int:
            waiting = repository.waiting(connection)
            asked = Counter(job.tier for job in jobs if job.kind != "fold")
            for tier, count in asked.items():
                if waiting.get(tier, 0) + count > self._caps[tier]:
                    JOBS_REFUSED.labels(tier).inc(count)
                    raise QueueFullError(f"{self._caps[tier]} jobs of {tier} wait already.")
            return repository.add(connection, jobs, self.now())

        return await self.transact(work)

    async def listed(
        self,
        status: JobStatus | None,
        tier: Tier | None,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> JobList:
        found = await self.transact(
            lambda connection: repository.newest(connection, status, tier, before, limit + 1)
        )
        items = found[:limit]
        more = len(found) > limit
        last = items[-1] if more else None
        cursor = None if last is None else f"{last.created_at.isoformat()}_{last.id}"
        return JobList(items=items, next_cursor=cursor)

    async def find(self, job_id: UUID) -> Job | None:
        return await self.transact(lambda connection: repository.find(connection, job_id))

    async def requeue(self, job_id: UUID | None, tier: Tier | None) -> int:
        """Dead ones; how many there were."""
        return await self.transact(
            lambda connection: repository.requeue(connection, job_id, tier, self.now())
        )

    async def remove_dead(self, job_id: UUID) -> bool:
        return await self.transact(lambda connection: repository.remove_dead(connection, job_id))

    async def statistics(self) -> JobStatistics:
        tiers = await self.transact(
            lambda connection: repository.statistics(connection, self._caps)
        )
        for one in tiers:
            one.room = max(0, one.room - one.queued)
            JOBS_QUEUED.labels(one.tier, "queued").set(one.queued)
            JOBS_QUEUED.labels(one.tier, "dead").set(one.dead)
        return JobStatistics(tiers=tiers)
