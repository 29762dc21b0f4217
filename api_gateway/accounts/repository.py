"""Accounts, and what the order processor committed about them. Nothing here commits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from shared.database.tables import AccountRow, LedgerEntryRow, MarkRow, PositionRow
from shared.models.identifiers import Mode


def account(db: Session, account_id: UUID) -> AccountRow | None:
    return db.get(AccountRow, account_id)


def account_to_change(db: Session, account_id: UUID) -> AccountRow | None:
    return db.get(AccountRow, account_id, with_for_update=True)


def account_by_name(db: Session, owner_id: UUID, name: str) -> AccountRow | None:
    return db.scalars(
        select(AccountRow).where(AccountRow.owner_id == owner_id, AccountRow.name == name)
    ).one_or_none()


def note_opened(db: Session, account_id: UUID) -> None:
    db.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id, AccountRow.opened_at.is_(None))
        .values(opened_at=func.now())
    )


def accounts(
    db: Session, owner_id: UUID | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[AccountRow]:
    """Oldest first; of all owners when `owner_id` is None."""
    key = tuple_(AccountRow.created_at, AccountRow.id)
    query = select(AccountRow)
    if owner_id is not None:
        query = query.where(AccountRow.owner_id == owner_id)
    if after is not None:
        query = query.where(key > after)
    return db.scalars(query.order_by(AccountRow.created_at, AccountRow.id).limit(limit)).all()


def cash(db: Session, account_id: UUID, mode: Mode) -> Decimal | None:
    """None while the books aren't open: the first entry is their deposit."""
    return db.scalars(
        select(LedgerEntryRow.balance)
        .where(LedgerEntryRow.account_id == account_id, LedgerEntryRow.mode == mode)
        .order_by(LedgerEntryRow.seq.desc())
        .limit(1)
    ).one_or_none()


def positions(db: Session, account_id: UUID, mode: Mode) -> Sequence[PositionRow]:
    return db.scalars(
        select(PositionRow)
        .where(PositionRow.account_id == account_id, PositionRow.mode == mode)
        .order_by(PositionRow.symbol)
    ).all()


def marks(db: Session, shard: int, symbols: Iterable[str]) -> dict[str, Decimal]:
    """Last prices as the account's shard knew them when it last wrote."""
    rows = db.execute(
        select(MarkRow.symbol, MarkRow.price).where(
            MarkRow.shard == shard, MarkRow.symbol.in_(list(symbols))
        )
    )
    return {row.symbol: row.price for row in rows}
