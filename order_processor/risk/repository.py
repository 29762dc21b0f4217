"""What the risk ladder has done, stored with the batch that it belongs to."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, text

from order_processor.risk.records import RiskBatch
from shared.models.base import encode
from shared.models.identifiers import Mode
from shared.models.risk import RiskState

_decoder = msgspec.json.Decoder(RiskState)

_STATES = text(
    """
    INSERT INTO account_risk (account_id, mode, state)
    SELECT account_id, mode, state FROM json_populate_recordset(NULL::account_risk, :rows)
    ON CONFLICT (account_id, mode) DO UPDATE SET state = excluded.state, changed_at = now()
    """
)
#: In the order of their ids, as the workers write them: nobody waits for each other in a ring.
_PAUSE = """
    UPDATE deployments SET wanted = 'paused', last_error = :why, updated_at = now()
     WHERE id IN (SELECT id FROM deployments
                   WHERE {which}
                     AND wanted = 'running' AND status <> 'stopped'
                   ORDER BY id FOR UPDATE)
"""
_PAUSE_ALL = text(_PAUSE.format(which="account_id = :account_id AND mode = :mode"))
_PAUSE_ONE = text(_PAUSE.format(which="id = :id"))
#: SQL's NULL of a cash account, not JSON's.
_MARGIN = text(
    "UPDATE accounts SET margin_terms = nullif(CAST(:terms AS jsonb), 'null')"
    " WHERE id = :account_id"
)
_HALTED = text(
    """
    INSERT INTO order_shard_halts (shard, number) VALUES (:shard, :number)
    ON CONFLICT (shard) DO UPDATE SET number = excluded.number
    """
)


_NOTICES = text(
    """
    INSERT INTO notifications
           (user_id, account_id, mode, deployment_id, severity, code, text, context)
    SELECT user_id, account_id, mode, deployment_id, severity, code, text, context
      FROM json_populate_recordset(NULL::notifications, :rows)
    """
)


def write_risk(connection: Connection, shard: int, batch: RiskBatch) -> None:
    if batch.states:
        rows = encode(list(batch.states.values())).decode()
        connection.execute(_STATES, {"rows": rows})
    for (account_id, mode), why in sorted(batch.pauses.items()):
        connection.execute(_PAUSE_ALL, {"account_id": account_id, "mode": mode, "why": why})
    for deployment_id, why in sorted(batch.deployment_pauses.items()):
        connection.execute(_PAUSE_ONE, {"id": deployment_id, "why": why})
    for account_id, terms in batch.margin_terms.items():
        connection.execute(_MARGIN, {"account_id": account_id, "terms": encode(terms).decode()})
    if batch.notices:
        connection.execute(_NOTICES, {"rows": encode(batch.notices).decode()})
    if batch.halt_done is not None:
        connection.execute(_HALTED, {"shard": shard, "number": batch.halt_done})


def halt_done(connection: Connection, shard: int) -> int:
    """Number of the last kill of the platform that the shard has carried out; 0 for none."""
    number: int | None = connection.execute(
        text("SELECT number FROM order_shard_halts WHERE shard = :shard"), {"shard": shard}
    ).scalar()
    return number or 0


def risk_states(
    connection: Connection, account_ids: Iterable[UUID]
) -> dict[tuple[UUID, Mode], RiskState]:
    rows: Any = connection.execute(
        text(
            "SELECT account_id, mode, state::text AS state FROM account_risk"
            " WHERE account_id = ANY(:ids)"
        ),
        {"ids": list(account_ids)},
    )
    return {(row.account_id, row.mode): _decoder.decode(row.state) for row in rows}
