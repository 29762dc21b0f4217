"""Data jobs and cursors in Postgres. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, Select, case, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from market_data_engine.backfill.schemas import Job, JobKind, JobStatus, TierStatistics
from market_data_engine.feeds.presence import Span
from market_data_engine.providers.configuration import Tier
from shared.database.tables import DataJobRow

_JOBS = DataJobRow.__table__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROBLEM_LENGTH = 1000
FORGOTTEN_AFTER = timedelta(minutes=15)
#: So long after a minute every provider has told what it ever will.
TOLD_AFTER = timedelta(minutes=20)
#: Who asks for what nobody has asked for. Its jobs are put together where they touch, so that a
#: symbol has few rows however often it is looked at.
SWEEPER = "sweeper"
#: A job that waits, or is dead, isn't put together with others to more than this.
_LONGEST = timedelta(days=1)
#: What a sweep has buried and nobody has looked at.
_DEAD_KEPT = timedelta(days=30)
#: Rows of one statement.
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class NewJob:
    kind: JobKind
    tier: Tier
    symbol: str
    span: Span
    requested_by: str
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Buried:
    span: Span
    attempts: int
    at: datetime


def moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def span_of(job: Job) -> Span:
    return Span(nanoseconds(job.start), nanoseconds(job.end))


# --- jobs ----------------------------------------------------------------------------------------


def waiting(connection: Connection) -> dict[Tier, int]:
    """Folds don't count: there is one for each interval under way, at most."""
    rows = connection.execute(
        select(_JOBS.c.tier, func.count().label("waiting"))
        .where(_JOBS.c.status == "queued", _JOBS.c.kind != "fold")
        .group_by(_JOBS.c.tier)
    )
    return {row.tier: row.waiting for row in rows}


def add(connection: Connection, jobs: Sequence[NewJob], now: datetime) -> int:
    """Those that don't wait already; how many that were."""
    jobs = [job for job in jobs if not _extended(connection, job, now)]
    values = [
        {
            "id": uuid4(),
            "kind": job.kind,
            "tier": job.tier,
            "symbol": job.symbol,
            "start": moment(job.span.from_ns),
            "end": moment(job.span.until_ns),
            "status": "queued",
            "attempts": 0,
            "not_before": job.not_before or now,
            "requested_by": job.requested_by,
            "created_at": now,
            "updated_at": now,
        }
        for job in jobs
    ]
    added = 0
    for first in range(0, len(values), _ROWS):
        statement = insert(DataJobRow).values(values[first : first + _ROWS])
        rows = connection.execute(statement.on_conflict_do_nothing().returning(_JOBS.c.id))
        added += len(rows.all())
    return added


def _extended(connection: Connection, job: NewJob, now: datetime) -> bool:
    """Whether a job of the sweeper's that waits was made to hold this one's range, too."""
    if job.requested_by != SWEEPER or job.kind != "backfill":
        return False
    span = (moment(job.span.from_ns), moment(job.span.until_ns))
    touching = _touching(job.kind, job.symbol, span, "queued")
    found = connection.execute(touching.with_for_update(skip_locked=True)).first()
    if found is None:
        return False
    start, end = min(found.start, span[0]), max(found.end, span[1])
    same = _JOBS.alias()
    taken = select(same.c.id).where(
        same.c.id != found.id, same.c.kind == job.kind, same.c.symbol == job.symbol,
        same.c.start == start, same.c.end == end, same.c.status.in_(["queued", "running"]),
    )  # fmt: skip
    changed = connection.execute(
        update(DataJobRow)
        .where(_JOBS.c.id == found.id, ~taken.exists())
        .values(start=start, end=end, updated_at=now)
    )
    return changed.rowcount > 0


def _touching(
    kind: JobKind,
    symbol: str,
    span: tuple[datetime, datetime],
    status: JobStatus,
    longest: timedelta | None = _LONGEST,
) -> Select[Any]:
    """The sweeper's job of that status whose range overlaps the span or borders on it."""
    start, end = span
    statement = select(_JOBS.c.id, _JOBS.c.start, _JOBS.c.end).where(
        _JOBS.c.kind == kind,
        _JOBS.c.symbol == symbol,
        _JOBS.c.status == status,
        _JOBS.c.requested_by == SWEEPER,
        _JOBS.c.start <= end,
        _JOBS.c.end >= start,
    )
    if longest is not None:
        whole = func.greatest(_JOBS.c.end, end) - func.least(_JOBS.c.start, start)
        statement = statement.where(whole <= longest)
    return statement.order_by(_JOBS.c.start).limit(1)


def claim(
    connection: Connection, tier: Tier, now: datetime, *, only_folds: bool = False
) -> Job | None:
    """The one that has been due longest; it is running then."""
    waits = (_JOBS.c.status == "queued") & (_JOBS.c.not_before <= now)
    if only_folds:
        waits &= _JOBS.c.kind == "fold"
    # Its end could not be noted. Doing a job twice changes nothing.
    forgotten = (_JOBS.c.status == "running") & (_JOBS.c.updated_at < now - FORGOTTEN_AFTER)
    due = (
        select(_JOBS.c.id)
        .where(_JOBS.c.tier == tier, waits | forgotten)
        .order_by(_JOBS.c.not_before, _JOBS.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = connection.execute(
        update(DataJobRow)
        .where(_JOBS.c.id == due)
        .values(status="running", updated_at=now)
        .returning(*_JOBS.c)
    ).one_or_none()
    return None if row is None else _job(row)


def release_running(connection: Connection) -> None:
    """Of an engine that is gone. Doing a job twice changes nothing."""
    connection.execute(
        update(DataJobRow).where(_JOBS.c.status == "running").values(status="queued")
    )


def finish(
    connection: Connection, job: Job, provider: str | None, candles: int, now: datetime
) -> None:
    """What is done of sweeps is put together: it says what needn't be asked again. A fold says
    nothing more when it is done."""
    if job.kind == "fold":
        connection.execute(delete(DataJobRow).where(_JOBS.c.id == job.id))
        return
    whole = {"provider": provider, "problem": None}
    if not _put_together(connection, job, "done", {"candles": candles}, whole, now):
        _change(connection, job.id, now, status="done", candles=candles, **whole)


def _put_together(
    connection: Connection,
    job: Job,
    status: Literal["done", "dead"],
    counts: Mapping[str, int],
    values: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Whether a sweep's earlier job of that status holds this one's range now, and this is gone."""
    if job.requested_by != SWEEPER:
        return False
    longest = _LONGEST if status == "dead" else None
    touching = _touching(job.kind, job.symbol, (job.start, job.end), status, longest)
    if status == "done":  # one row tells of one provider
        touching = touching.where(_JOBS.c.provider.is_not_distinct_from(values["provider"]))
    before = connection.execute(touching.with_for_update()).first()
    if before is None:
        return False
    removed = connection.execute(
        delete(DataJobRow).where(_JOBS.c.id == job.id, _JOBS.c.status == "running")
    )
    if removed.rowcount == 0:
        return True
    connection.execute(
        update(DataJobRow)
        .where(_JOBS.c.id == before.id)
        .values(
            start=min(before.start, job.start),
            end=max(before.end, job.end),
            updated_at=now,
            **{name: func.coalesce(_JOBS.c[name], 0) + count for name, count in counts.items()},
            **values,
        )
    )
    return True


def postpone(
    connection: Connection,
    job_id: UUID,
    attempts: int,
    not_before: datetime,
    problem: str | None,
    now: datetime,
) -> None:
    _change(
        connection, job_id, now, status="queued", attempts=attempts, not_before=not_before,
        problem=problem,
    )  # fmt: skip


def bury(connection: Connection, job: Job, attempts: int, problem: str, now: datetime) -> None:
    """What is buried of sweeps is put together, too."""
    problem = problem[:_PROBLEM_LENGTH]
    counts = {"attempts": attempts}
    if not _put_together(connection, job, "dead", counts, {"problem": problem}, now):
        _change(connection, job.id, now, status="dead", attempts=attempts, problem=problem)


def buried(connection: Connection, symbol: str, from_ns: int) -> list[Buried]:
    """What sweeps have asked for in vain."""
    rows = connection.execute(
        select(_JOBS.c.start, _JOBS.c.end, _JOBS.c.attempts, _JOBS.c.updated_at).where(
            _JOBS.c.symbol == symbol,
            _JOBS.c.end >= moment(from_ns),
            _JOBS.c.status == "dead",
            _JOBS.c.requested_by == SWEEPER,
        )
    )
    return [
        Buried(Span(nanoseconds(row.start), nanoseconds(row.end)), row.attempts, row.updated_at)
        for row in rows
    ]


def _change(connection: Connection, job_id: UUID, now: datetime, **values: Any) -> None:
    """Of a running one: what became of it meanwhile stays."""
    if problem := values.get("problem"):
        values["problem"] = problem[:_PROBLEM_LENGTH]
    connection.execute(
        update(DataJobRow)
        .where(_JOBS.c.id == job_id, _JOBS.c.status == "running")
        .values(**values, updated_at=now)
    )


def asked(
    connection: Connection, symbol: str, from_ns: int, *, only_done: bool = False
) -> list[Span]:
    """Ranges that a provider was and, but for `only_done`, will be or in vain has been asked for.

    What was asked too soon after it happened proves nothing: some providers tell late.
    """
    rows = connection.execute(
        select(_JOBS.c.start, _JOBS.c.end, _JOBS.c.status, _JOBS.c.updated_at).where(
            _JOBS.c.symbol == symbol,
            _JOBS.c.end > moment(from_ns),
            _JOBS.c.kind != "fold",
            *([_JOBS.c.status == "done"] if only_done else []),
        )
    )
    found = []
    for row in rows:
        end = min(row.end, row.updated_at - TOLD_AFTER) if row.status == "done" else row.end
        if row.start < end:
            found.append(Span(nanoseconds(row.start), nanoseconds(end)))
    return found


def newest(
    connection: Connection,
    status: JobStatus | None,
    tier: Tier | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Job]:
    """Newest first."""
    statement = select(*_JOBS.c).order_by(_JOBS.c.created_at.desc(), _JOBS.c.id.desc())
    if status is not None:
        statement = statement.where(_JOBS.c.status == status)
    if tier is not None:
        statement = statement.where(_JOBS.c.tier == tier)
    if before is not None:
        statement = statement.where(tuple_(_JOBS.c.created_at, _JOBS.c.id) < before)
    return [_job(row) for row in connection.execute(statement.limit(limit))]


def find(connection: Connection, job_id: UUID) -> Job | None:
    row = connection.execute(select(*_JOBS.c).where(_JOBS.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def requeue(connection: Connection, job_id: UUID | None, tier: Tier | None, now: datetime) -> int:
    """Dead ones: one, all of a tier, or all. One whose work waits already goes."""
    chosen = _JOBS.c.status == "dead"
    if job_id is not None:
        chosen &= _JOBS.c.id == job_id
    if tier is not None:
        chosen &= _JOBS.c.tier == tier
    removed = connection.execute(delete(DataJobRow).where(chosen).returning(*_JOBS.c))
    dead = removed.mappings().all()
    if not dead:
        return 0
    fresh = {"status": "queued", "attempts": 0, "not_before": now, "updated_at": now}
    values = [{**row, **fresh} for row in dead]
    for first in range(0, len(values), _ROWS):
        statement = insert(DataJobRow).values(values[first : first + _ROWS])
        connection.execute(statement.on_conflict_do_nothing())
    return len(dead)


def remove_dead(connection: Connection, job_id: UUID) -> bool:
    removed = connection.execute(
        delete(DataJobRow).where(_JOBS.c.id == job_id, _JOBS.c.status == "dead")
    )
    return removed.rowcount > 0


def forget(connection: Connection, before: datetime, now: datetime) -> None:
    """What was done about times that nobody looks at any more."""
    done = _JOBS.c.status == "done"
    old = (_JOBS.c.end < before) & (_JOBS.c.updated_at < before)
    buried = (_JOBS.c.status == "dead") & (_JOBS.c.requested_by == SWEEPER)
    long_dead = buried & (_JOBS.c.updated_at < now - _DEAD_KEPT)
    connection.execute(delete(DataJobRow).where((done & old) | long_dead))


def statistics(connection: Connection, rooms: Mapping[Tier, int]) -> list[TierStatistics]:
    oldest = func.min(case((_JOBS.c.status == "queued", _JOBS.c.created_at)))
    rows = connection.execute(
        select(
            _JOBS.c.tier, _JOBS.c.status, func.count().label("count"), oldest.label("oldest")
        ).group_by(_JOBS.c.tier, _JOBS.c.status)
    ).all()
    found = {tier: TierStatistics(tier=tier, room=room) for tier, room in rooms.items()}
    for row in rows:
        setattr(found[row.tier], row.status, row.count)
        if row.status == "queued":
            found[row.tier].oldest_queued_at = row.oldest
    return list(found.values())


def _job(row: Any) -> Job:
    return Job.model_validate(row, from_attributes=True)
