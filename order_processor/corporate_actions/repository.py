"""Announced splits and dividends, and on which books they were carried out."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row, text

from order_processor.corporate_actions.records import (
    ActionBatch,
    FailureRecord,
    LookRecord,
    Outdated,
    Seen,
)
from shared.models.base import encode
from shared.models.identifiers import Mode, Symbol
from shared.trading.amounts import plain
from shared.trading.corporate_actions import CorporateAction, Dividend, Split

#: By account and mode.
Effects = dict[tuple[UUID, Mode], Seen]


class Failed(msgspec.Struct, frozen=True):
    """On one set of books."""

    account_id: UUID
    mode: Mode
    code: str
    reason: str
    #: How often it was tried again.
    attempt: int
    failed_at: datetime


class Announced(msgspec.Struct, frozen=True):
    id: UUID
    symbol: str
    kind: str
    ratio_new: int | None
    ratio_old: int | None
    amount: Decimal | None
    ex_date: date
    effective_at: datetime
    announced_by: str
    announced_at: datetime
    status: Literal["announced", "failed", "cancelled"]
    retries: int
    cancelled_at: datetime | None
    cancelled_by: str | None
    #: Sets of books on which it was carried out so far, and on which it could not be.
    effects: int
    failed: int
    #: Shards that have brought it to all of their books.
    looks: int
    #: The newest of those that failed.
    failures: list[Failed]


_NEW = text(
    """
    SELECT a.id, a.symbol, a.kind, a.ratio_new, a.ratio_old, a.amount, a.effective_at,
           a.retries, a.cancelled_at, a.revision,
           a.cancelled_at IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM corporate_action_effects e WHERE e.action_id = a.id) AS void,
           i.tick_size, i.lot_size, i.currency
      FROM corporate_actions a JOIN instruments i ON i.symbol = a.symbol
     WHERE a.revision > :seen ORDER BY a.revision
    """
)
_ANNOUNCED = """
    SELECT a.*, (SELECT count(*) FROM corporate_action_effects e
                  WHERE e.action_id = a.id) AS effects,
           (SELECT count(*) FROM corporate_action_looks l WHERE l.action_id = a.id) AS looks,
           f.failed, f.failures
      FROM corporate_actions a CROSS JOIN LATERAL (
           SELECT count(*) AS failed,
                  coalesce((array_agg(to_jsonb(f) ORDER BY f.failed_at DESC))[1\\:20], '{}')
                  AS failures
             FROM corporate_action_failures f
            WHERE f.action_id = a.id AND NOT EXISTS (
                  SELECT 1 FROM corporate_action_effects e
                   WHERE e.action_id = a.id AND e.account_id = f.account_id AND e.mode = f.mode)
           ) AS f
"""
#: One that came to some books counts, also when it is cancelled: they have seen it.
_LIKE = """
     WHERE a.symbol = :symbol AND a.kind = :kind AND a.ex_date = :ex_date
       AND (a.cancelled_at IS NULL OR EXISTS (
            SELECT 1 FROM corporate_action_effects e WHERE e.action_id = a.id))
     ORDER BY a.number LIMIT 1
"""
_INSERT = text(
    """
    INSERT INTO corporate_actions
           (id, symbol, kind, ratio_new, ratio_old, amount, ex_date, effective_at, announced_by)
    VALUES (:id, :symbol, :kind, :ratio_new, :ratio_old, :amount, :ex_date, :effective_at,
            :announced_by)
    """
)


#: In the order of their ids, as the workers write them: nobody waits for each other in a ring.
_OUTDATE = text(
    """
    UPDATE deployments
       SET outdated_by = :action_id, updated_at = now(),
           wanted = CASE wanted WHEN 'running' THEN 'paused' ELSE wanted END,
           pause_orders = CASE wanted WHEN 'running' THEN 'cancel_entries' ELSE pause_orders END,
           last_error = CASE wanted WHEN 'running' THEN :why ELSE last_error END
     WHERE id IN (SELECT id FROM deployments
                   WHERE mode = 'paper' AND jsonb_exists(symbols, :symbol)
                     AND created_at < :before AND status <> 'stopped'
                   ORDER BY id FOR UPDATE)
    """
)
_FAILED = text(
    """
    INSERT INTO corporate_action_failures (account_id, mode, action_id, attempt, code, reason)
    SELECT account_id, mode, action_id, attempt, code, reason
      FROM json_populate_recordset(NULL::corporate_action_failures, :rows)
    ON CONFLICT (account_id, mode, action_id) DO UPDATE
       SET attempt = excluded.attempt, code = excluded.code, reason = excluded.reason,
           failed_at = now()
    """
)
#: The owner of each account; admins once for each attempt, however many books it fails on.
_TOLD = text(
    """
    WITH failed AS (
        SELECT r.account_id, r.mode, a.owner_id, r.action_id, r.attempt,
               jsonb_build_object('action_id', r.action_id, 'attempt', r.attempt, 'reason_code',
                                  r.code, 'symbol', c.symbol) AS context,
               'A ' || c.kind || ' of ' || c.symbol || ' could not be carried out: ' || r.reason
               AS text
          FROM json_populate_recordset(NULL::corporate_action_failures, :rows) AS r
          JOIN accounts a ON a.id = r.account_id JOIN corporate_actions c ON c.id = r.action_id
    ), admins AS (
        SELECT DISTINCT ON (u.id, f.action_id, f.attempt) u.id, f.context, f.text
          FROM failed f CROSS JOIN users u
         WHERE u.role = 'admin' AND NOT EXISTS (
               SELECT 1 FROM notifications n
                WHERE n.user_id = u.id AND n.account_id IS NULL
                  AND n.code = 'corporate_action_failed'
                  AND n.context ->> 'action_id' = f.action_id::text
                  AND n.context ->> 'attempt' = f.attempt::text)
    )
    INSERT INTO notifications (user_id, account_id, mode, severity, code, text, context)
    SELECT owner_id, account_id, mode, 'critical', 'corporate_action_failed', text, context
      FROM failed
    UNION ALL
    SELECT id, NULL, NULL, 'critical', 'corporate_action_failed', text, context FROM admins
    """
)
_LOOKED = text(
    """
    INSERT INTO corporate_action_looks (action_id, shard, attempt, outdated_before)
    VALUES (:action_id, :shard, :attempt, :outdated_before)
    ON CONFLICT (action_id, shard) DO UPDATE
       SET attempt = excluded.attempt,
           outdated_before = greatest(corporate_action_looks.outdated_before,
                                      excluded.outdated_before);
    SELECT demand(a.cancelled_at IS NULL, 'action_cancelled')
      FROM corporate_actions a WHERE a.id = :action_id FOR KEY SHARE
    """
)


class Known(msgspec.Struct, frozen=True):
    """All actions up to a revision; they become visible in order of it."""

    revision: int = 0
    actions: Mapping[UUID, CorporateAction] = {}


def read_actions(connection: Connection, known: Known) -> Known:
    """`known` itself when none has changed since."""
    rows = connection.execute(_NEW, {"seen": known.revision}).all()
    if not rows:
        return known
    return Known(rows[-1].revision, {**known.actions, **{row.id: _action(row) for row in rows}})


def _action(row: Row[Any]) -> CorporateAction:
    terms = Dividend(plain(row.amount)) if row.amount else Split(row.ratio_new, row.ratio_old)
    return CorporateAction(
        row.id,
        Symbol(row.symbol),
        terms,
        row.effective_at,
        plain(row.tick_size),
        plain(row.lot_size),
        row.currency,
        row.retries,
        row.cancelled_at is not None,
        row.void,
    )


def announce(connection: Connection, action: dict[str, Any]) -> None:
    """The caller has looked for one like it, behind the same lock."""
    connection.execute(_INSERT, action)


def lock(connection: Connection) -> None:
    """One announcement at a time: numbers become visible in their order."""
    connection.execute(text("LOCK TABLE corporate_actions IN SHARE ROW EXCLUSIVE MODE"))


def announced(connection: Connection, action_id: UUID) -> Announced | None:
    row = connection.execute(text(f"{_ANNOUNCED} WHERE a.id = :id"), {"id": action_id}).first()
    return None if row is None else _announced(row)


def like(connection: Connection, symbol: str, kind: str, ex_date: date) -> Announced | None:
    row = connection.execute(
        text(f"{_ANNOUNCED}{_LIKE}"),
        {"symbol": symbol, "kind": kind, "ex_date": ex_date},
    ).first()
    return None if row is None else _announced(row)


def newest(connection: Connection, before: int | None, most: int) -> list[tuple[int, Announced]]:
    """With their numbers, those under `before`."""
    rows = connection.execute(
        text(
            f"{_ANNOUNCED} WHERE CAST(:before AS bigint) IS NULL OR a.number < :before"
            " ORDER BY a.number DESC LIMIT :most"
        ),
        {"before": before, "most": most},
    )
    return [(row.number, _announced(row)) for row in rows]


def _announced(row: Row[Any]) -> Announced:
    return Announced(
        row.id,
        row.symbol,
        row.kind,
        row.ratio_new,
        row.ratio_old,
        None if row.amount is None else plain(row.amount),
        row.ex_date,
        row.effective_at,
        row.announced_by,
        row.announced_at,
        "cancelled" if row.cancelled_at else "failed" if row.failed else "announced",
        row.retries,
        row.cancelled_at,
        row.cancelled_by,
        row.effects,
        row.failed,
        row.looks,
        [msgspec.convert(each, Failed) for each in row.failures],
    )


#: Whoever writes an effect at this moment comes first; whoever comes later finds it cancelled.
_HOLD = text("SELECT 1 FROM corporate_actions WHERE id = :id FOR UPDATE")
_CHANGE = """
    UPDATE corporate_actions
       SET revision = nextval(pg_get_serial_sequence('corporate_actions', 'revision')), {what}
     WHERE id = :id
"""
_RETRY = text(_CHANGE.format(what="retries = retries + 1"))
_CANCEL = text(_CHANGE.format(what="cancelled_at = now(), cancelled_by = :by"))


def hold_for_change(connection: Connection, action_id: UUID) -> Announced | None:
    lock(connection)
    connection.execute(_HOLD, {"id": action_id})
    return announced(connection, action_id)


def retry(connection: Connection, action_id: UUID) -> None:
    connection.execute(_RETRY, {"id": action_id})


def cancel(connection: Connection, action_id: UUID, by: str) -> None:
    connection.execute(_CANCEL, {"id": action_id, "by": by})


def exchange_of(connection: Connection, symbol: str) -> str | None:
    exchange: str | None = connection.execute(
        text("SELECT exchange FROM instruments WHERE symbol = :symbol"), {"symbol": symbol}
    ).scalar()
    return exchange


def retried_of(connection: Connection, action_id: UUID, attempt: int) -> int:
    """Sets of books on which the attempt has failed."""
    count: int = connection.execute(
        text(
            "SELECT count(*) FROM corporate_action_failures"
            " WHERE action_id = :id AND attempt = :attempt"
        ),
        {"id": action_id, "attempt": attempt},
    ).scalar_one()
    return count


def write_actions(connection: Connection, shard: int, batch: ActionBatch) -> None:
    if batch.failures:
        rows = {"rows": encode(batch.failures).decode()}
        connection.execute(_FAILED, rows)
        connection.execute(_TOLD, rows)
    for look in batch.looks:
        connection.execute(_LOOKED, {"shard": shard, **msgspec.structs.asdict(look)})
    for each in sorted(batch.outdated, key=_symbol_of):
        connection.execute(_OUTDATE, msgspec.structs.asdict(each))


def _symbol_of(outdated: Outdated) -> Symbol:
    return outdated.symbol


def looks_of(connection: Connection, shard: int) -> list[LookRecord]:
    rows = connection.execute(
        text(
            "SELECT action_id, attempt, outdated_before FROM corporate_action_looks"
            " WHERE shard = :shard"
        ),
        {"shard": shard},
    )
    return [LookRecord(*row) for row in rows]


def effects_of(connection: Connection, account_ids: Iterable[UUID]) -> Effects:
    effects: Effects = {}
    ids = {"ids": list(account_ids)}
    for row in connection.execute(
        text(
            "SELECT account_id, mode, action_id FROM corporate_action_effects"
            " WHERE account_id = ANY(:ids)"
        ),
        ids,
    ):
        effects.setdefault((row.account_id, row.mode), Seen()).done.add(row.action_id)
    for row in connection.execute(
        text(
            "SELECT account_id, mode, action_id, attempt, code, reason"
            " FROM corporate_action_failures WHERE account_id = ANY(:ids)"
        ),
        ids,
    ):
        seen = effects.setdefault((row.account_id, row.mode), Seen())
        seen.failed[row.action_id] = FailureRecord(*row)
    return effects
