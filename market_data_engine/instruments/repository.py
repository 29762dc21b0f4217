"""Instruments in Postgres. Nothing here commits."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from market_data_engine.instruments.schemas import Instrument
from shared.database.tables import InstrumentRow, utc_now

_TABLE = InstrumentRow.__table__


def find(connection: Connection, symbol: str) -> Instrument | None:
    row = connection.execute(select(_TABLE).where(_TABLE.c.symbol == symbol)).one_or_none()
    return None if row is None else Instrument.model_validate(row, from_attributes=True)


def search(connection: Connection, query: str, after: str, limit: int) -> list[Instrument]:
    """Those whose symbol begins with `query` or whose name contains it, by symbol."""
    statement = select(_TABLE).where(_TABLE.c.symbol > after).order_by(_TABLE.c.symbol)
    if query:
        statement = statement.where(
            or_(
                func.upper(_TABLE.c.symbol).startswith(query.upper(), autoescape=True),
                func.upper(_TABLE.c.name).contains(query.upper(), autoescape=True),
            )
        )
    rows = connection.execute(statement.limit(limit))
    return [Instrument.model_validate(row, from_attributes=True) for row in rows]


def exchanges(connection: Connection, symbols: Sequence[str]) -> dict[str, str]:
    """Symbol → exchange, of those that are known."""
    rows = connection.execute(
        select(_TABLE.c.symbol, _TABLE.c.exchange).where(_TABLE.c.symbol.in_(symbols))
    )
    return {row.symbol: row.exchange for row in rows}


def add_unknown(connection: Connection, instruments: Iterable[Instrument]) -> None:
    """Those that are known already stay as they are."""
    values = [{**item.model_dump(), "created_at": utc_now()} for item in instruments]
    if values:
        connection.execute(
            insert(InstrumentRow).on_conflict_do_nothing(index_elements=["symbol"]), values
        )
