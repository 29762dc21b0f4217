"""Replays in Postgres. Nothing here commits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, tuple_, update

from market_data_engine.replays.preparation import AnyRun
from market_data_engine.replays.schemas import Replay, Speed
from market_data_engine.replays.transport import State
from shared.database.tables import ReplayRow, utc_now

_TABLE = ReplayRow.__table__


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a running one now."""

    ticks: int
    skipped_ticks: int
    candles: Mapping[str, int]
    market_time: datetime | None
    #: Of a replay; None of a market that nobody can pause.
    state: State | None
    speed: Speed | None


def add(connection: Connection, replay_id: UUID, prepared: AnyRun, begin: Progress) -> Replay:
    starts_at, ends_at = prepared.span or (None, None)
    row = connection.execute(
        insert(ReplayRow)
        .values(
            id=replay_id,
            status="running",
            request=prepared.request,
            symbols=prepared.symbols,
            starts_at=starts_at,
            ends_at=ends_at,
            started_by=prepared.started_by,
            total_ticks=prepared.total_ticks,
            created_at=utc_now(),
            **_values(begin),
        )
        .returning(*_TABLE.c)
    ).one()
    return Replay.model_validate(row, from_attributes=True)


def progress(connection: Connection, replay_id: UUID, now: Progress) -> None:
    """Of a running one; what has ended stays as it is."""
    connection.execute(
        update(ReplayRow)
        .where(_TABLE.c.id == replay_id, _TABLE.c.status == "running")
        .values(**_values(now))
    )


def _values(now: Progress) -> dict[str, Any]:
    speed = None if now.speed is None else str(now.speed)
    return {**asdict(now), "candles": dict(now.candles), "speed": speed}


def end(connection: Connection, replay_id: UUID, status: str, error: str | None) -> None:
    """Of a running one; the first end counts."""
    connection.execute(
        update(ReplayRow)
        .where(_TABLE.c.id == replay_id, _TABLE.c.status == "running")
        .values(status=status, state=None, error=error, finished_at=utc_now())
    )


def running(connection: Connection) -> list[UUID]:
    return list(
        connection.execute(select(_TABLE.c.id).where(_TABLE.c.status == "running")).scalars()
    )


def fail_running(connection: Connection, error: str) -> None:
    connection.execute(
        update(ReplayRow)
        .where(_TABLE.c.status == "running")
        .values(status="failed", state=None, error=error, finished_at=utc_now())
    )


def find(connection: Connection, replay_id: UUID) -> Replay | None:
    row = connection.execute(select(_TABLE).where(_TABLE.c.id == replay_id)).one_or_none()
    return None if row is None else Replay.model_validate(row, from_attributes=True)


def newest(connection: Connection, after: UUID | None, limit: int) -> list[Replay]:
    """Newest first; those older than the replay `after`."""
    order = tuple_(_TABLE.c.created_at, _TABLE.c.id)
    statement = select(_TABLE).order_by(_TABLE.c.created_at.desc(), _TABLE.c.id.desc())
    if after is not None:
        previous = select(_TABLE.c.created_at, _TABLE.c.id).where(_TABLE.c.id == after)
        statement = statement.where(order < previous.scalar_subquery())
    rows = connection.execute(statement.limit(limit))
    return [Replay.model_validate(row, from_attributes=True) for row in rows]
