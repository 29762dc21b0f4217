"""Splits and dividends: announced by admins, carried out by the order processor."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base


class CorporateActionRow(Base):
    """Once announced it stays as it is."""

    __tablename__ = "corporate_actions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: In the order in which they became visible.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    symbol: Mapped[str] = mapped_column(ForeignKey("instruments.symbol"))
    kind: Mapped[str]
    #: Of a split: so many new shares for so many old ones.
    ratio_new: Mapped[int | None]
    ratio_old: Mapped[int | None]
    #: Of a dividend: cash a share, in the instrument's currency.
    amount: Mapped[Decimal | None]
    ex_date: Mapped[date]
    #: Where the session of the ex-date starts.
    effective_at: Mapped[datetime]
    announced_by: Mapped[str]
    announced_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(
            "kind = 'split' AND ratio_new > 0 AND ratio_old > 0 AND ratio_new <> ratio_old"
            " AND amount IS NULL OR kind = 'dividend' AND amount > 0 AND ratio_new IS NULL"
            " AND ratio_old IS NULL",
            name="kind",
        ),
        UniqueConstraint("symbol", "kind", "ex_date"),
    )


class CorporateActionEffectRow(Base):
    """It was carried out on one set of books: at most once, by the primary key."""

    __tablename__ = "corporate_action_effects"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    action_id: Mapped[UUID] = mapped_column(
        ForeignKey("corporate_actions.id"), primary_key=True, index=True
    )
    #: Number of the last execution before it.
    execution_seq: Mapped[int] = mapped_column(BigInteger)
    #: What is less than so many shares was paid for in cash.
    unit: Mapped[Decimal]
    qty_before: Mapped[Decimal]
    qty_after: Mapped[Decimal]
    #: Profit on what was less than a unit.
    realized_pnl: Mapped[Decimal]
    #: Of a split position: what a share of the rest was paid for with, and what the lots lost.
    price: Mapped[Decimal | None]
    lots_cost_removed: Mapped[Decimal]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("mode IN ('paper', 'live')", name="mode"),)
