"""Conversions of positions, and the deployments that they are between."""

from uuid import UUID

from sqlalchemy import Connection, Row, text

from order_processor.position_conversions.records import Owner
from shared.models.conversions import PositionConversion
from shared.models.identifiers import Mode, Symbol
from shared.trading.amounts import plain

#: Of books, by the name that its command gave it.
ConversionName = tuple[tuple[UUID, Mode], str]

#: A deployment that was started meanwhile would not know of it: then nothing of this is stored.
#: One that is started now waits for the commit.
INSERT = """
    INSERT INTO position_conversions
           (account_id, mode, client_conversion_id, symbol, from_deployment_id, to_deployment_id,
            qty, cost, execution_seq, at, submitted_by, reason)
    SELECT account_id, mode, client_conversion_id, symbol, from_deployment_id, to_deployment_id,
           qty, cost, execution_seq, at, submitted_by, reason
      FROM json_populate_recordset(NULL::position_conversions, :position_conversions);
    SELECT demand(NOT bool_or(d.wanted = 'running'), 'deployment_started')
      FROM (SELECT d.wanted FROM deployments d
              JOIN json_populate_recordset(NULL::position_conversions, :position_conversions) AS c
                ON d.id IN (c.from_deployment_id, c.to_deployment_id)
               FOR SHARE OF d) AS d
"""


def find_conversions(
    connection: Connection, names: set[ConversionName]
) -> dict[ConversionName, PositionConversion]:
    if not names:
        return {}
    rows = connection.execute(
        text(
            "SELECT * FROM position_conversions"
            " WHERE client_conversion_id = ANY(:names) AND account_id = ANY(:ids)"
        ),
        {"names": [name for _, name in names], "ids": [key[0] for key, _ in names]},
    )
    found: dict[ConversionName, PositionConversion] = {}
    for row in rows:
        found[(row.account_id, row.mode), row.client_conversion_id] = _conversion(row)
    return {name: found[name] for name in names & found.keys()}


def _conversion(row: Row[tuple[object, ...]]) -> PositionConversion:
    return PositionConversion(
        client_conversion_id=row.client_conversion_id,
        symbol=Symbol(row.symbol),
        from_deployment_id=row.from_deployment_id,
        to_deployment_id=row.to_deployment_id,
        qty=plain(row.qty),
        cost=plain(row.cost),
        execution_seq=row.execution_seq,
        at=row.at,
        submitted_by=row.submitted_by,
        reason=row.reason,
    )


def find_owners(connection: Connection, ids: set[UUID]) -> dict[UUID, Owner]:
    if not ids:
        return {}
    rows = connection.execute(
        text("SELECT id, account_id, mode, wanted, status FROM deployments WHERE id = ANY(:ids)"),
        {"ids": list(ids)},
    )
    return {
        row.id: Owner(
            row.account_id,
            row.mode,
            active=row.wanted == "running" or row.status not in ("paused", "stopped"),
            stopped=row.wanted == "stopped" or row.status == "stopped",
        )
        for row in rows
    }
