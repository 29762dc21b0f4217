"""Rates of exchange that were set. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.database.tables import FxRateRow


def add(
    db: Session, currency: str, quote_currency: str, rate: Decimal, at: datetime, set_by: UUID
) -> FxRateRow:
    """Rates become visible in the order of their numbers: order processors read on from the last
    one that they have seen."""
    db.execute(text("LOCK TABLE fx_rates IN SHARE ROW EXCLUSIVE MODE"))
    row = FxRateRow(
        currency=currency, quote_currency=quote_currency, rate=rate, at=at, set_by=set_by
    )
    db.add(row)
    db.flush()
    db.refresh(row)
    return row


def rates(
    db: Session,
    currency: str | None,
    quote_currency: str | None,
    before: int | None,
    limit: int,
) -> Sequence[FxRateRow]:
    """Those set last first."""
    query = select(FxRateRow)
    if currency is not None:
        query = query.where(FxRateRow.currency == currency)
    if quote_currency is not None:
        query = query.where(FxRateRow.quote_currency == quote_currency)
    if before is not None:
        query = query.where(FxRateRow.id < before)
    return db.scalars(query.order_by(FxRateRow.id.desc()).limit(limit)).all()
