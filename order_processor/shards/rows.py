"""Stored rows as what they mean."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from order_processor.shards.state import LastSeen
from shared.models.cash import LedgerEntry
from shared.models.identifiers import AccountId, OrderId, Symbol
from shared.models.orders import Order
from shared.trading.amounts import plain
from shared.trading.changes import WorkingOrder
from shared.trading.lots import Lot
from shared.trading.paper_terms import parse_paper_terms
from shared.trading.positions import Holding


def order_of(row: Row[Any]) -> Order:
    """From a row with all columns of `orders`."""
    return Order(
        id=OrderId(row.id),
        account_id=AccountId(row.account_id),
        mode=row.mode,
        client_order_id=row.client_order_id,
        submitted_by=row.submitted_by,
        deployment_id=row.deployment_id,
        symbol=Symbol(row.symbol),
        side=row.side,
        type=row.type,
        time_in_force=row.time_in_force,
        qty=plain(row.qty),
        limit_price=plain_or_none(row.limit_price),
        status=row.status,
        filled_qty=plain(row.filled_qty),
        filled_avg_price=plain_or_none(row.filled_avg_price),
        reason_code=row.reason_code,
        reason=row.reason,
        seq=row.seq,
        submitted_at=row.submitted_at,
        updated_at=row.updated_at,
        stop_price=plain_or_none(row.stop_price),
        trail_price=plain_or_none(row.trail_price),
        trail_percent=plain_or_none(row.trail_percent),
        hwm=plain_or_none(row.hwm),
        queue_ahead=plain_or_none(row.queue_ahead),
        triggered_at=row.triggered_at,
        due_at=row.due_at,
        expires_at=row.expires_at,
        replaces=row.replaces,
        replaced_by=row.replaced_by,
        closes_position=row.closes_position,
        order_class=row.order_class,
        group_id=None if row.group_id is None else OrderId(row.group_id),
        group_role=row.group_role,
        protects_position=row.protects_position,
        notional=plain_or_none(row.notional),
        extended_hours=row.extended_hours,
    )


def plain_or_none(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else plain(amount)


def holding_of(row: Row[Any]) -> Holding:
    return Holding(
        symbol=Symbol(row.symbol),
        qty=plain(row.qty),
        cost=plain(row.cost),
        realized_pnl=plain(row.realized_pnl),
        fees=plain(row.fees),
        updated_at=row.updated_at,
    )


def lot_of(row: Row[Any]) -> Lot:
    return Lot(
        seq=row.seq,
        symbol=Symbol(row.symbol),
        qty=plain(row.qty),
        cost=plain(row.cost),
        opened_qty=plain(row.opened_qty),
        price=plain(row.price),
        opened_by=row.opened_by,
        opened_at=row.opened_at,
    )


def working_of(row: Row[Any], last_seen: LastSeen) -> tuple[WorkingOrder, bool]:
    """A working order, and whether it still waits for its first print: no print, nor a quote that
    counts, of the run that is under way came after it reached the market."""
    working = WorkingOrder(
        order=order_of(row),
        tick=plain(row.tick_size),
        lot=plain(row.lot_size),
        terms=parse_paper_terms(row.paper_terms),
        reserved=plain(row.reserved),
        tape_id=row.tape_id,
        steps=row.steps or 0,
        executions=row.executions,
        shortable=row.shortable,
        value=plain(row.value),
        fees=plain(row.fees),
        commission=plain(row.commission),
        broker_order_id=row.broker_order_id,
        cancel_wanted=bool(row.cancel_wanted),
    )
    return working, not last_seen.met_by(working)


def ledger_entry_of(row: Row[Any]) -> LedgerEntry:
    """From a row with all columns of `ledger_entries`."""
    return LedgerEntry(
        seq=row.seq,
        kind=row.kind,
        amount=plain(row.amount),
        currency=row.currency,
        balance=plain(row.balance),
        execution_id=row.execution_id,
        at=row.at,
        client_entry_id=row.client_entry_id,
        submitted_by=row.submitted_by,
        reason=row.reason,
        transfer_id=row.transfer_id,
        counterpart_id=row.counterpart_id,
        rate=plain_or_none(row.rate),
    )
