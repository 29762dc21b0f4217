"""What people may do with data jobs: add, look, put back, remove."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from market_data_engine.backfill.gaps import sessions
from market_data_engine.backfill.queue import JobQueue, QueueFullError
from market_data_engine.backfill.repository import NewJob, nanoseconds
from market_data_engine.backfill.schemas import (
    Job,
    JobList,
    JobRequest,
    JobsAdded,
    JobStatistics,
    JobStatus,
)
from market_data_engine.errors import Refused
from market_data_engine.feeds.presence import Span
from market_data_engine.providers.configuration import Tier
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import MINUTE_NS

_LONGEST = timedelta(days=31)
_CURSOR = re.compile(r"([0-9T:.+-]{20,40})_([0-9a-f-]{36})")


class DataJobs:
    """`calendar_of` raises KeyError for a symbol that is in no catalogue; `able`: whether there is
    anybody to ask."""

    def __init__(
        self,
        queue: JobQueue,
        calendar_of: Callable[[str], SessionCalendar],
        *,
        able: bool,
    ) -> None:
        self._queue = queue
        self._calendar_of = calendar_of
        self._able = able

    async def add(self, request: JobRequest) -> JobsAdded | Refused:
        if not self._able:
            return Refused("no_history_providers", "HISTORY_PROVIDERS names nobody to ask.")
        now = datetime.now(UTC)
        if request.start >= request.end or request.end > now or request.start.year < 1990:
            return Refused("invalid_range", "start must be before end, and end not in the future.")
        if request.end - request.start > _LONGEST:
            return Refused("invalid_range", f"A job takes at most {_LONGEST.days} days.")
        if len(set(request.symbols)) < len(request.symbols):
            return Refused("invalid_request", "A symbol is named twice.")
        jobs = await asyncio.to_thread(self._jobs, request)
        if isinstance(jobs, Refused):
            return jobs
        try:
            return JobsAdded(added=await self._queue.add(jobs))
        except QueueFullError as error:
            return Refused("queue_full", str(error))

    def _jobs(self, request: JobRequest) -> list[NewJob] | Refused:
        """One for each session and symbol."""
        jobs = []
        for symbol in request.symbols:
            try:
                calendar = self._calendar_of(symbol)
            except KeyError:
                return Refused("unknown_symbol", f"{symbol} is in no catalogue.")
            jobs += [
                NewJob(request.kind, request.tier, symbol, span, request.requested_by)
                for span in _pieces(calendar, nanoseconds(request.start), nanoseconds(request.end))
            ]
        return jobs

    async def listed(
        self, status: JobStatus | None, tier: Tier | None, cursor: str | None, limit: int
    ) -> JobList | Refused:
        before = None
        if cursor is not None:
            before = _position(cursor)
            if before is None:
                return Refused("invalid_cursor", "The cursor is none of ours.")
        return await self._queue.listed(status, tier, before, limit)

    async def requeue(self, job_id: UUID) -> Job | Refused | None:
        """None when there is no such job."""
        job = await self._queue.find(job_id)
        if job is None:
            return None
        if not await self._queue.requeue(job_id, None):
            return Refused("job_not_dead", f"The job is {job.status}.")
        return await self._queue.find(job_id)

    async def requeue_all(self, tier: Tier | None) -> int:
        return await self._queue.requeue(None, tier)

    async def remove(self, job_id: UUID) -> Refused | bool:
        """False when there is no such job."""
        job = await self._queue.find(job_id)
        if job is None:
            return False
        if not await self._queue.remove_dead(job_id):
            return Refused("job_not_dead", f"The job is {job.status}.")
        return True

    async def statistics(self) -> JobStatistics:
        return await self._queue.statistics()


def _pieces(calendar: SessionCalendar, from_ns: int, until_ns: int) -> Sequence[Span]:
    """The range, cut where sessions begin and end, in whole minutes."""
    from_ns = -(-from_ns // MINUTE_NS) * MINUTE_NS
    until_ns -= until_ns % MINUTE_NS
    spans = [
        Span(max(from_ns, session.open_ns), min(until_ns, session.close_ns))
        for session in sessions(calendar, from_ns, until_ns)
    ]
    return [span for span in spans if span.from_ns < span.until_ns]


def _position(cursor: str) -> tuple[datetime, UUID] | None:
    parts = _CURSOR.fullmatch(cursor)
    if parts is None:
        return None
    try:
        at = datetime.fromisoformat(parts[1])
        return (at, UUID(parts[2])) if at.tzinfo is not None else None
    except ValueError:
        return None
