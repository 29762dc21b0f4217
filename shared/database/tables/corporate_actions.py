"""Splits and dividends: announced by admins, carried out by the order processor."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base


class CorporateActionRow(Base):
    """What was announced stays as it is; it can be tried again where it failed, or cancelled."""

    __tablename__ = "corporate_actions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: In the order in which they became visible.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    #: Rises with every change of any of them; becomes visible in order.
    revision: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
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
    #: How often it was to be tried again where it had failed.
    retries: Mapped[int] = mapped_column(default=0, server_default="0")
    #: It comes to no more books.
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "kind = 'split' AND ratio_new > 0 AND ratio_old > 0 AND ratio_new <> ratio_old"
            " AND amount IS NULL OR kind = 'dividend' AND amount > 0 AND ratio_new IS NULL"
            " AND ratio_old IS NULL",
            name="kind",
        ),
        Index(
            "uq_corporate_actions_symbol_kind_ex_date",
            "symbol",
            "kind",
            "ex_date",
            unique=True,
            postgresql_where=text("cancelled_at IS NULL"),
        ),
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


class CorporateActionFailureRow(Base):
    """It could not be carried out on one set of books; what says so stays when it is later."""

    __tablename__ = "corporate_action_failures"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    action_id: Mapped[UUID] = mapped_column(
        ForeignKey("corporate_actions.id"), primary_key=True, index=True
    )
    #: `retries` of the action when it was tried last.
    attempt: Mapped[int]
    code: Mapped[str]
    reason: Mapped[str]
    failed_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("mode IN ('paper', 'live')", name="mode"),)


class CorporateActionLookRow(Base):
    """A shard has brought it to all of its books that it concerns, or said why not."""

    __tablename__ = "corporate_action_looks"

    action_id: Mapped[UUID] = mapped_column(ForeignKey("corporate_actions.id"), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True)
    #: `retries` of the action then.
    attempt: Mapped[int]
    #: Deployments of before count in old shares.
    outdated_before: Mapped[datetime]
