"""Replays in Postgres. Nothing here commits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, tuple_, update

from market_data_engine.replays.schemas import Replay
from shared.database.tables import ReplayRow, utc_now

_TABLE = ReplayRow.__table__


def add(
    connection: Connection, replay_id: UUID, request: Mapping[str, Any], total_ticks: int | None
) -> Replay:
    row = connection.execute(
        insert(ReplayRow)
        .values(
            id=replay_id,
            status="running",
            request=dict(request),
            ticks=0,
            total_ticks=total_ticks,
            candles={},
            created_at=utc_now(),
        )
        .returning(*_TABLE.c)
    ).one()
    return Replay.model_validate(row, from_attributes=True)


def progress(
    connection: Connection,
    replay_id: UUID,
    ticks: int,
    candles: Mapping[str, int],
    market_time: datetime | None,
) -> None:
    """Of a running one; what has ended stays as it is."""
    connection.execute(
        update(ReplayRow)
        .where(_TABLE.c.id == replay_id, _TABLE.c.status == "running")
        .values(ticks=ticks, candles=dict(candles), market_time=market_time)
    )


def end(connection: Connection, replay_id: UUID, status: str, error: str | None) -> None:
    """Of a running one; the first end counts."""
    connection.execute(
        update(ReplayRow)
        .where(_TABLE.c.id == replay_id, _TABLE.c.status == "running")
        .values(status=status, error=error, finished_at=utc_now())
    )


def running(connection: Connection) -> list[UUID]:
    return list(
        connection.execute(select(_TABLE.c.id).where(_TABLE.c.status == "running")).scalars()
    )


def fail_running(connection: Connection, error: str) -> None:
    connection.execute(
        update(ReplayRow)
        .where(_TABLE.c.status == "running")
        .values(status="failed", error=error, finished_at=utc_now())
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
