"""Orders and books as the order processor committed them. Read only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from api_gateway.orders.filters import ExecutionFilters, LedgerFilters, OrderFilters
from api_gateway.paging import LARGEST_BIGINT, invalid_cursor
from shared.database.tables import (
    ExecutionRow,
    LedgerEntryRow,
    LotClosingRow,
    LotRow,
    OrderRow,
    PositionRow,
    StrategyPositionRow,
)
from shared.models.identifiers import Mode

R = TypeVar("R")

_WORKING = ("new", "held", "accepted", "partially_filled")


def order(db: Session, account_id: UUID, order_id: UUID) -> OrderRow | None:
    return db.scalars(
        select(OrderRow).where(OrderRow.id == order_id, OrderRow.account_id == account_id)
    ).one_or_none()


def legs_of(db: Session, first: OrderRow) -> Sequence[OrderRow]:
    """The exits that belong to an entry, or the other exit; those that replaced them, not they."""
    if first.group_id is None or (first.group_role != "entry" and first.id != first.group_id):
        return []
    return db.scalars(
        select(OrderRow)
        .where(
            OrderRow.group_id == first.group_id,
            OrderRow.group_role != "entry",
            OrderRow.id != first.id,
            OrderRow.replaced_by.is_(None),
        )
        .order_by(OrderRow.seq)
    ).all()


def protection(db: Session, account_id: UUID, mode: Mode, symbol: str) -> Sequence[OrderRow]:
    return db.scalars(
        select(OrderRow).where(
            OrderRow.account_id == account_id,
            OrderRow.mode == mode,
            OrderRow.symbol == symbol,
            OrderRow.protects_position,
            OrderRow.status.in_(_WORKING),
        )
    ).all()


def orders(
    db: Session,
    account_id: UUID,
    mode: Mode,
    only: OrderFilters,
    after: int | None,
    newest_first: bool,
    limit: int,
) -> Sequence[OrderRow]:
    query = select(OrderRow).where(OrderRow.account_id == account_id, OrderRow.mode == mode)
    if only.status == "working":
        query = query.where(OrderRow.status.in_(_WORKING))
    else:
        query = _equal(query, (OrderRow.status, only.status))
    query = _equal(
        query,
        (OrderRow.symbol, only.symbol),
        (OrderRow.side, only.side),
        (OrderRow.type, only.type),
        (OrderRow.group_id, only.group_id),
    )
    query = _within(query, OrderRow.submitted_at, only.start, only.end)
    return db.scalars(_by_seq(query, OrderRow.seq, after, newest_first).limit(limit)).all()


def executions(
    db: Session,
    account_id: UUID,
    mode: Mode,
    only: ExecutionFilters,
    after: int | None,
    newest_first: bool,
    limit: int,
) -> Sequence[ExecutionRow]:
    query = select(ExecutionRow).where(
        ExecutionRow.account_id == account_id, ExecutionRow.mode == mode
    )
    query = _equal(
        query,
        (ExecutionRow.order_id, only.order_id),
        (ExecutionRow.symbol, only.symbol),
        (ExecutionRow.side, only.side),
    )
    query = _within(query, ExecutionRow.at, only.start, only.end)
    return db.scalars(_by_seq(query, ExecutionRow.seq, after, newest_first).limit(limit)).all()


def ledger(
    db: Session,
    account_id: UUID,
    mode: Mode,
    only: LedgerFilters,
    after: int | None,
    newest_first: bool,
    limit: int,
) -> Sequence[LedgerEntryRow]:
    query = select(LedgerEntryRow).where(
        LedgerEntryRow.account_id == account_id, LedgerEntryRow.mode == mode
    )
    query = _equal(query, (LedgerEntryRow.kind, only.kind))
    query = _within(query, LedgerEntryRow.at, only.start, only.end)
    return db.scalars(_by_seq(query, LedgerEntryRow.seq, after, newest_first).limit(limit)).all()


def positions(
    db: Session, account_id: UUID, mode: Mode, after: str | None, limit: int
) -> Sequence[PositionRow]:
    query = select(PositionRow).where(
        PositionRow.account_id == account_id, PositionRow.mode == mode
    )
    if after is not None:
        query = query.where(PositionRow.symbol > after)
    return db.scalars(query.order_by(PositionRow.symbol).limit(limit)).all()


def strategy_positions(
    db: Session, account_id: UUID, mode: Mode, after: str | None, limit: int
) -> Sequence[StrategyPositionRow]:
    """By symbol and owner; `after` has both, with a blank between."""
    row = StrategyPositionRow
    query = select(row).where(row.account_id == account_id, row.mode == mode)
    if after is not None:
        symbol, _, owner = after.partition(" ")
        query = query.where(tuple_(row.symbol, row.owner) > (symbol, owner))
    return db.scalars(query.order_by(row.symbol, row.owner).limit(limit)).all()


def open_lots(
    db: Session, account_id: UUID, mode: Mode, symbol: str | None, after: int | None, limit: int
) -> Sequence[LotRow]:
    """Oldest first."""
    query = select(LotRow).where(
        LotRow.account_id == account_id, LotRow.mode == mode, LotRow.qty != 0
    )
    if symbol is not None:
        query = query.where(LotRow.symbol == symbol)
    return db.scalars(_by_seq(query, LotRow.seq, after, newest_first=False).limit(limit)).all()


def lot_closings(
    db: Session, account_id: UUID, mode: Mode, symbol: str | None, after: str | None, limit: int
) -> Sequence[LotClosingRow]:
    """By lot, oldest first; `after` is a lot's number and an execution, with a blank between."""
    row = LotClosingRow
    query = select(row).where(row.account_id == account_id, row.mode == mode)
    if symbol is not None:
        query = query.where(row.symbol == symbol)
    if after is not None:
        query = query.where(tuple_(row.lot_seq, row.closed_by) > _closing(after))
    return db.scalars(query.order_by(row.lot_seq, row.closed_by).limit(limit)).all()


def _closing(after: str) -> tuple[int, UUID]:
    seq, _, execution = after.partition(" ")
    try:
        number, closed_by = int(seq), UUID(execution)
    except ValueError as error:
        raise invalid_cursor() from error
    if not 0 <= number <= LARGEST_BIGINT:
        raise invalid_cursor()
    return number, closed_by


def _equal(query: Select[R], *wanted: tuple[InstrumentedAttribute[Any], object]) -> Select[R]:
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    return query


def _within(
    query: Select[R],
    time: InstrumentedAttribute[datetime],
    start: datetime | None,
    end: datetime | None,
) -> Select[R]:
    if start is not None:
        query = query.where(time >= start)
    if end is not None:
        query = query.where(time < end)
    return query


def _by_seq(
    query: Select[R],
    seq: InstrumentedAttribute[Any],
    after: int | None,
    newest_first: bool,
) -> Select[R]:
    if after is not None:
        query = query.where(seq < after if newest_first else seq > after)
    return query.order_by(seq.desc() if newest_first else seq)
