"""Writing a batch, and the shard's own row. Rows travel as one JSON document per table, frames as
one text.

PostgreSQL unpacks them (`json_populate_recordset`), which costs this process a fraction of
what a parameter per value would. All statements of a batch go in one round trip.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from order_processor.brokers.differences import write_compared
from order_processor.corporate_actions.repository import write_actions
from order_processor.position_conversions.repository import INSERT
from order_processor.risk.repository import write_risk
from order_processor.shards.batch import Batch, MarketRecords
from order_processor.shards.state import Cursors
from shared.models.base import encode


def _insert(table: str, columns: str, more: str = "", **unsaid: str) -> str:
    """`unsaid`: what a column holds where a row doesn't have it; else NULL."""
    given = ", ".join(
        f"coalesce({column}, {unsaid[column]})" if column in unsaid else column
        for column in columns.split(", ")
    )
    return (
        f"INSERT INTO {table} ({columns}) SELECT {given}"  # noqa: S608 - constants of this file
        f" FROM json_populate_recordset(NULL::{table}, :{table}) {more}"
    )


_OPENED = _insert(
    "orders",
    "id, account_id, mode, client_order_id, submitted_by, deployment_id, symbol, side, type,"
    " time_in_force, qty, limit_price, status, filled_qty, filled_avg_price, reason_code, reason,"
    " seq, submitted_at, updated_at, reserved, tape_id, stop_price, trail_price, trail_percent,"
    " hwm, triggered_at, expires_at, replaces, replaced_by, closes_position, order_class,"
    " group_id, group_role, protects_position, notional, extended_hours, paper_terms, commission,"
    " queue_ahead, due_at",
    closes_position="false",
    order_class="'simple'",
    protects_position="false",
    extended_hours="true",
    commission="0",
)
_CHANGED = """
    UPDATE orders AS o
       SET status = r.status, qty = r.qty, filled_qty = r.filled_qty,
           filled_avg_price = r.filled_avg_price, reason_code = r.reason_code,
           reason = r.reason, updated_at = r.updated_at,
           limit_price = r.limit_price, trail_price = r.trail_price,
           stop_price = r.stop_price, hwm = r.hwm, triggered_at = r.triggered_at,
           queue_ahead = r.queue_ahead, due_at = r.due_at,
           replaced_by = r.replaced_by, commission = coalesce(r.commission, o.commission)
      FROM json_populate_recordset(NULL::orders, :changed) AS r
     WHERE o.id = r.id
"""
_TRANSITIONS = _insert(
    "order_transitions", "order_id, seq, from_status, to_status, reason_code, at"
)
_EXECUTIONS = _insert(
    "executions",
    "id, order_id, account_id, mode, deployment_id, symbol, side, qty, price, fee, realized_pnl,"
    " seq, at, fx_rate, realized_pnl_base",
)
_POSITIONS = _insert(
    "positions",
    "account_id, mode, symbol, qty, cost, avg_price, realized_pnl, fees, updated_at",
    "ON CONFLICT (account_id, mode, symbol) DO UPDATE SET qty = excluded.qty,"
    " cost = excluded.cost, avg_price = excluded.avg_price,"
    " realized_pnl = excluded.realized_pnl, fees = excluded.fees,"
    " updated_at = excluded.updated_at",
)
_STRATEGY_POSITIONS = _insert(
    "strategy_positions",
    "account_id, mode, symbol, owner, qty, cost, avg_price, realized_pnl, fees, updated_at",
    "ON CONFLICT (account_id, mode, symbol, owner) DO UPDATE SET qty = excluded.qty,"
    " cost = excluded.cost, avg_price = excluded.avg_price,"
    " realized_pnl = excluded.realized_pnl, fees = excluded.fees,"
    " updated_at = excluded.updated_at",
)
_LOTS = _insert(
    "lots",
    "account_id, mode, seq, symbol, qty, cost, opened_qty, price, opened_by, opened_at",
    "ON CONFLICT (account_id, mode, seq) DO UPDATE SET qty = excluded.qty, cost = excluded.cost,"
    " opened_qty = excluded.opened_qty, price = excluded.price",
)
_LOT_CLOSINGS = _insert(
    "lot_closings",
    "account_id, mode, lot_seq, closed_by, symbol, qty, cost, proceeds, realized_pnl, opened_at,"
    " closed_at",
)
_LEDGER = _insert(
    "ledger_entries",
    "account_id, mode, seq, kind, amount, currency, balance, execution_id, at, client_entry_id,"
    " submitted_by, reason, transfer_id, counterpart_id, rate",
)
_FOREIGN_CASH = _insert(
    "foreign_cash",
    "account_id, mode, currency, balance, rate",
    "ON CONFLICT (account_id, mode, currency) DO UPDATE SET balance = excluded.balance,"
    " rate = excluded.rate",
)
_EVENTS = """
    WITH told AS MATERIALIZED (SELECT convert_to(:frames, 'UTF8') AS frames)
    INSERT INTO account_events (shard, seq, account_id, topic, topic_seq, frame)
    SELECT :shard, r.seq, r.account_id, r.topic, r.topic_seq,
           substring(told.frames FROM r.frame_from FOR r.frame_length)
      FROM told, json_to_recordset(:events)
           AS r (seq bigint, account_id uuid, topic text, topic_seq bigint,
                 frame_from int, frame_length int)
"""
_AUDIT = _insert(
    "order_audit",
    "account_id, mode, actor, ip, user_agent, request_id, command, order_id, client_order_id,"
    " symbol, detail, outcome, code, limit_value, observed, level",
)
_BROKER_ORDERS = _insert(
    "broker_orders",
    "order_id, account_id, broker_order_id, cancel_wanted",
    "ON CONFLICT (order_id) DO UPDATE SET broker_order_id = excluded.broker_order_id,"
    " cancel_wanted = excluded.cancel_wanted",
)
_EFFECTS = _insert(
    "corporate_action_effects",
    "action_id, account_id, mode, execution_seq, unit, qty_before, qty_after, realized_pnl,"
    " price, lots_cost_removed",
    ";\nSELECT demand(NOT EXISTS (SELECT 1 FROM corporate_actions a JOIN"
    " json_populate_recordset(NULL::corporate_action_effects, :corporate_action_effects) AS e"
    " ON e.action_id = a.id WHERE a.cancelled_at IS NOT NULL), 'action_cancelled')",
)
_FORGET_PRICES = "DELETE FROM order_shard_marks WHERE shard = :shard"
_FORGET_QUOTES = "DELETE FROM order_shard_quotes WHERE shard = :shard"
_PRICES = """
    INSERT INTO order_shard_marks (shard, symbol, price, at, tape_id)
    SELECT :shard, r.symbol, r.price, r.at, r.tape_id
      FROM json_populate_recordset(NULL::order_shard_marks, :prices) AS r
    ON CONFLICT (shard, symbol)
    DO UPDATE SET price = excluded.price, at = excluded.at, tape_id = excluded.tape_id
"""
_QUOTES = """
    INSERT INTO order_shard_quotes
           (shard, symbol, bid, ask, bid_size, ask_size, at_ns, tape_id)
    SELECT :shard, r.symbol, r.bid, r.ask, r.bid_size, r.ask_size, r.at_ns, r.tape_id
      FROM json_populate_recordset(NULL::order_shard_quotes, :quotes) AS r
    ON CONFLICT (shard, symbol)
    DO UPDATE SET bid = excluded.bid, ask = excluded.ask, bid_size = excluded.bid_size,
                  ask_size = excluded.ask_size, at_ns = excluded.at_ns, tape_id = excluded.tape_id
"""
_FORGET_HALTS = "DELETE FROM order_shard_symbol_halts WHERE shard = :shard"
_HALTS = """
    INSERT INTO order_shard_symbol_halts (shard, symbol, state)
    SELECT :shard, r.symbol, r.state
      FROM json_populate_recordset(NULL::order_shard_symbol_halts, :halts) AS r
"""
_CURSORS = """
    WITH moved AS (
    UPDATE order_shards
       SET command_cursor = :command, tape_cursor = :tape, event_seq = :event_seq,
           published_seq = :published_seq, market_entry = :market_entry,
           market_time_ns = :market_time_ns, mark_number = :mark_number,
           mark_run_id = :mark_run_id
     WHERE shard = :shard AND command_cursor = :before_command AND tape_cursor = :before_tape
       AND event_seq = :before_event_seq
    RETURNING 1)
    SELECT demand(EXISTS (SELECT 1 FROM moved), 'cursor_moved')
"""


def message_of(
    shard: int,
    batch: Batch,
    market: MarketRecords,
    *,
    before: Cursors,
    after: Cursors,
) -> tuple[str, dict[str, Any]]:
    """All that happened, and last the shard's row, as one text of several statements, with their
    values. New rows are inserted, never merged: a second writer fails here. It fails as a whole,
    with the message "cursor_moved", when the row is not as it was read or last written."""
    parts: dict[str, tuple[str, Sequence[msgspec.Struct]]] = {
        "orders": (_OPENED, list(batch.opened.values())),
        "changed": (_CHANGED, [*batch.changed.values(), *batch.moved.values()]),
        "order_transitions": (_TRANSITIONS, batch.transitions),
        "executions": (_EXECUTIONS, batch.executions),
        "positions": (_POSITIONS, list(batch.positions.values())),
        "strategy_positions": (_STRATEGY_POSITIONS, list(batch.strategy_positions.values())),
        "lots": (_LOTS, list(batch.lots.values())),
        "lot_closings": (_LOT_CLOSINGS, batch.lot_closings),
        "ledger_entries": (_LEDGER, batch.ledger),
        "foreign_cash": (_FOREIGN_CASH, list(batch.foreign_cash.values())),
        "events": (_EVENTS, batch.events),
        "broker_orders": (_BROKER_ORDERS, list(batch.broker_orders.values())),
        "prices": (_PRICES, market.prices),
        "quotes": (_QUOTES, market.quotes),
        "halts": (_HALTS, market.halts or []),
        "corporate_action_effects": (_EFFECTS, batch.effects),
        "position_conversions": (INSERT, batch.conversions),
        "order_audit": (_AUDIT, batch.risk.audit),
    }
    statements = [statement for statement, rows in parts.values() if rows]
    if market.halts is not None:
        statements = [_FORGET_HALTS, *statements]
    if market.forget_first:
        statements = [_FORGET_PRICES, _FORGET_QUOTES, *statements]
    values = {
        "shard": shard,
        "before_command": before.command,
        "before_tape": before.tape,
        "before_event_seq": before.event_seq,
        **{name: encode(rows).decode() for name, (_, rows) in parts.items() if rows},
        "frames": b"".join([frame.body for frame in batch.frames]).decode(),
        **msgspec.structs.asdict(after),
    }
    return ";\n".join((*statements, _CURSORS)), values


def write(
    connection: Connection,
    shard: int,
    batch: Batch,
    market: MarketRecords,
    *,
    before: Cursors,
    after: Cursors,
) -> None:
    """The same over a connection of SQLAlchemy's, with what only few batches bring."""
    if batch.risk:
        write_risk(connection, shard, batch.risk)
    if batch.actions:
        write_actions(connection, shard, batch.actions)
    for each in batch.compared:
        write_compared(connection, each)
    message, values = message_of(shard, batch, market, before=before, after=after)
    connection.execute(text(message), values)
