"""Uploaded files in Postgres. Nothing here commits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from market_data_engine.market_files.schemas import MarketFile
from shared.database.tables import MarketFileRow, utc_now
from shared.market_files.reading import FileSummary

_TABLE = MarketFileRow.__table__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def add(
    connection: Connection, name: str, sha256: str, summary: FileSummary
) -> tuple[MarketFile, bool]:
    """The file of this content, and whether it is new."""
    added = connection.execute(
        insert(MarketFileRow)
        .values(
            id=uuid4(),
            name=name,
            kind=summary.kind,
            sha256=sha256,
            rows=summary.rows,
            symbols=summary.symbols,
            first_at=_moment(summary.first_ns),
            last_at=_moment(summary.last_ns),
            created_at=utc_now(),
        )
        .on_conflict_do_nothing(index_elements=["sha256"])
        .returning(*_TABLE.c)
    ).one_or_none()
    row = added or connection.execute(select(_TABLE).where(_TABLE.c.sha256 == sha256)).one()
    return MarketFile.model_validate(row, from_attributes=True), added is not None


def find_all(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, MarketFile]:
    rows = connection.execute(select(_TABLE).where(_TABLE.c.id.in_(ids)))
    return {row.id: MarketFile.model_validate(row, from_attributes=True) for row in rows}


def newest(connection: Connection, after: UUID | None, limit: int) -> list[MarketFile]:
    """Newest first; those older than the file `after`."""
    order = tuple_(_TABLE.c.created_at, _TABLE.c.id)
    statement = select(_TABLE).order_by(_TABLE.c.created_at.desc(), _TABLE.c.id.desc())
    if after is not None:
        previous = select(_TABLE.c.created_at, _TABLE.c.id).where(_TABLE.c.id == after)
        statement = statement.where(order < previous.scalar_subquery())
    rows = connection.execute(statement.limit(limit))
    return [MarketFile.model_validate(row, from_attributes=True) for row in rows]
