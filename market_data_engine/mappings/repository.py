"""Symbol mappings in Postgres. Nothing here commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_

from market_data_engine.mappings.schemas import KeptMapping, Mapping, MissingMapping
from shared.database.tables import (
    InstrumentRow,
    MissingSymbolMappingRow,
    SymbolMappingRow,
    utc_now,
)

_MAPPINGS = SymbolMappingRow.__table__
_MISSING = MissingSymbolMappingRow.__table__
_ROWS = 1000


def unknown_symbols(connection: Connection, symbols: Sequence[str]) -> set[str]:
    table = InstrumentRow.__table__
    known: set[str] = set()
    for first in range(0, len(symbols), _ROWS):
        some = list(symbols[first : first + _ROWS])
        known |= set(connection.scalars(select(table.c.symbol).where(table.c.symbol.in_(some))))
    return set(symbols) - known


def lock(connection: Connection) -> None:
    """Two uploads at once would judge each other's names without seeing them."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("symbol_mappings"))))


def of_parties(connection: Connection, parties: Sequence[str]) -> list[Mapping]:
    """All that are mapped there now."""
    rows = connection.execute(select(_MAPPINGS).where(_MAPPINGS.c.party.in_(parties)))
    return [Mapping.model_validate(row, from_attributes=True) for row in rows]


def replace(connection: Connection, mappings: Sequence[Mapping], by: str) -> None:
    """Names may change hands within one upload, so the old ones go first."""
    keys = [(one.party, one.symbol) for one in mappings]
    for first in range(0, len(keys), _ROWS):
        some = keys[first : first + _ROWS]
        for row in (SymbolMappingRow, MissingSymbolMappingRow):
            connection.execute(delete(row).where(tuple_(row.party, row.symbol).in_(some)))
    now = utc_now()
    values = [{**one.model_dump(), "updated_by": by, "updated_at": now} for one in mappings]
    if values:
        connection.execute(insert(SymbolMappingRow), values)


def remove(connection: Connection, party: str, symbol: str) -> bool:
    removed = connection.execute(
        delete(SymbolMappingRow).where(
            SymbolMappingRow.party == party, SymbolMappingRow.symbol == symbol
        )
    )
    return removed.rowcount > 0


def search(
    connection: Connection, party: str | None, query: str, after: tuple[str, str], limit: int | None
) -> list[KeptMapping]:
    """By symbol and party; those whose symbol or name there begins with `query`."""
    statement = (
        select(_MAPPINGS)
        .where(tuple_(_MAPPINGS.c.symbol, _MAPPINGS.c.party) > after)
        .order_by(_MAPPINGS.c.symbol, _MAPPINGS.c.party)
    )
    return [
        KeptMapping.model_validate(row, from_attributes=True)
        for row in connection.execute(_narrowed(statement, party, query).limit(limit))
    ]


def _narrowed(statement: Any, party: str | None, query: str) -> Any:
    if party is not None:
        statement = statement.where(_MAPPINGS.c.party == party)
    if query:
        begins = [
            func.upper(column).startswith(query.upper(), autoescape=True)
            for column in (_MAPPINGS.c.symbol, _MAPPINGS.c.token)
        ]
        statement = statement.where(or_(*begins))
    return statement


def missing(
    connection: Connection, party: str | None, after: tuple[str, str], limit: int
) -> list[MissingMapping]:
    statement = select(_MISSING).where(tuple_(_MISSING.c.symbol, _MISSING.c.party) > after)
    if party is not None:
        statement = statement.where(_MISSING.c.party == party)
    rows = connection.execute(statement.order_by(_MISSING.c.symbol, _MISSING.c.party).limit(limit))
    return [MissingMapping.model_validate(row, from_attributes=True) for row in rows]
