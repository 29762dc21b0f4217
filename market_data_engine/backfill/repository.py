"""Data jobs and cursors in Postgres. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, case, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from market_data_engine.backfill.schemas import Job, JobKind, JobStatus, TierStatistics
from market_data_engine.feeds.presence import Span
from market_data_engine.providers.configuration import Tier
from shared.database.tables import DataCursorRow, DataJobRow, utc_now

_JOBS = DataJobRow.__table__
_CURSORS = DataCursorRow.__table__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROBLEM_LENGTH = 1000
FORGOTTEN_AFTER = timedelta(minutes=15)
#: So long after a minute every provider has told what it ever will.
TOLD_AFTER = timedelta(minutes=20)
_FOLDS_KEPT = timedelta(days=1)
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


def moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def span_of(job: Job) -> Span:
    return Span(nanoseconds(job.start), nanoseconds(job.end))


# --- jobs ----------------------------------------------------------------------------------------


def waiting(connection: Connection) -> dict[Tier, int]:
    rows = connection.execute(
        select(_JOBS.c.tier, func.count().label("waiting"))
        .where(_JOBS.c.status == "queued")
        .group_by(_JOBS.c.tier)
    )
    return {row.tier: row.waiting for row in rows}


def add(connection: Connection, jobs: Sequence[NewJob], now: datetime) -> int:
    """Those that don't wait already; how many that were."""
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


def claim(connection: Connection, tier: Tier, now: datetime) -> Job | None:
    """The one that has been due longest; it is running then."""
    waits = (_JOBS.c.status == "queued") & (_JOBS.c.not_before <= now)
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
    connection: Connection, job_id: UUID, provider: str | None, candles: int, now: datetime
) -> None:
    _change(
        connection, job_id, now, status="done", provider=provider, candles=candles, problem=None
    )


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


def bury(connection: Connection, job_id: UUID, attempts: int, problem: str, now: datetime) -> None:
    _change(connection, job_id, now, status="dead", attempts=attempts, problem=problem)


def _change(connection: Connection, job_id: UUID, now: datetime, **values: Any) -> None:
    """Of a running one: what became of it meanwhile stays."""
    if problem := values.get("problem"):
        values["problem"] = problem[:_PROBLEM_LENGTH]
    connection.execute(
        update(DataJobRow)
        .where(_JOBS.c.id == job_id, _JOBS.c.status == "running")
        .values(**values, updated_at=now)
    )


def asked(connection: Connection, symbol: str, from_ns: int) -> list[Span]:
    """Ranges that a provider was, will be or in vain has been asked for.

    What was asked too soon after it happened proves nothing: some providers tell late.
    """
    rows = connection.execute(
        select(_JOBS.c.start, _JOBS.c.end, _JOBS.c.status, _JOBS.c.updated_at).where(
            _JOBS.c.symbol == symbol, _JOBS.c.end > moment(from_ns), _JOBS.c.kind != "fold"
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
    folds = (_JOBS.c.kind == "fold") & (_JOBS.c.updated_at < now - _FOLDS_KEPT)
    connection.execute(delete(DataJobRow).where(done & (old | folds)))
    live = _CURSORS.c.source == "live"
    connection.execute(delete(DataCursorRow).where(live & (_CURSORS.c.until < before)))


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


# --- cursors -------------------------------------------------------------------------------------


def note_spans(
    connection: Connection, symbols: Sequence[str], source: str, spans: Sequence[Span]
) -> None:
    """How far the source has told of one-minute candles; no cursor goes back."""
    values = [
        {
            "symbol": symbol,
            "timeframe": "1m",
            "source": source,
            "since": moment(span.from_ns),
            "until": moment(span.until_ns),
            "updated_at": utc_now(),
        }
        for symbol in symbols
        for span in spans
    ]
    if not values:
        return
    statement = insert(DataCursorRow).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["symbol", "timeframe", "source", "since"],
            set_={
                "until": func.greatest(_CURSORS.c.until, statement.excluded.until),
                "updated_at": statement.excluded.updated_at,
            },
        )
    )


def spans(connection: Connection, symbol: str, source: str, from_ns: int) -> list[Span]:
    rows = connection.execute(
        select(_CURSORS.c.since, _CURSORS.c.until).where(
            _CURSORS.c.symbol == symbol,
            _CURSORS.c.source == source,
            _CURSORS.c.until > moment(from_ns),
        )
    )
    return [Span(nanoseconds(row.since), nanoseconds(row.until)) for row in rows]


def told_until(connection: Connection, symbols: Sequence[str]) -> dict[str, int]:
    """Symbol → how far any source has told of it, in ns."""
    rows = connection.execute(
        select(_CURSORS.c.symbol, func.max(_CURSORS.c.until).label("until"))
        .where(_CURSORS.c.symbol.in_(symbols))
        .group_by(_CURSORS.c.symbol)
    )
    return {row.symbol: nanoseconds(row.until) for row in rows}
