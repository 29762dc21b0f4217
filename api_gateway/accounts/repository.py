"""Accounts, and what the order processor committed about them. Nothing here commits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, text, tuple_, update
from sqlalchemy.orm import Session

from api_gateway.accounts.portfolio import Abroad, ForeignCash
from shared.database.tables import (
    AccountRow,
    InstrumentRow,
    LedgerEntryRow,
    MarkRow,
    PositionRow,
)
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
    """In the account's currency. None while the books aren't open: the first entry is their
    deposit."""
    return db.scalars(
        select(LedgerEntryRow.balance)
        .join(AccountRow, AccountRow.id == LedgerEntryRow.account_id)
        .where(
            LedgerEntryRow.account_id == account_id,
            LedgerEntryRow.mode == mode,
            LedgerEntryRow.currency == AccountRow.base_currency,
        )
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


def abroad(
    db: Session, account: AccountRow, mode: Mode, positions: Sequence[PositionRow]
) -> Abroad | None:
    """What the books hold in other currencies than the account's; None where they never did."""
    keys = {"account_id": account.id, "mode": mode}
    cash = {
        row.currency: ForeignCash(row.balance, row.rate) for row in db.execute(_FOREIGN_CASH, keys)
    }
    if not cash:
        return None
    symbols = [row.symbol for row in positions]
    rows = db.execute(
        select(InstrumentRow.symbol, InstrumentRow.currency).where(
            InstrumentRow.symbol.in_(symbols), InstrumentRow.currency != account.base_currency
        )
    )
    currencies = {row.symbol: row.currency for row in rows}
    realized_pnl, fees = db.execute(_TOTALS_ABROAD, keys).one()
    return Abroad(cash, currencies, realized_pnl, fees)


_FOREIGN_CASH = text(
    "SELECT currency, balance, rate FROM foreign_cash"
    " WHERE account_id = :account_id AND mode = :mode ORDER BY currency"
)
#: In the account's currency, at the rates of the executions.
_TOTALS_ABROAD = text(
    """
    SELECT coalesce(sum(realized_pnl_base), 0), coalesce(sum(round(fee * fx_rate, 12)), 0)
      FROM executions WHERE account_id = :account_id AND mode = :mode AND fx_rate IS NOT NULL
    """
)
