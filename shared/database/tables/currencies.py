"""Rates of exchange, and cash in other currencies than an account's."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base


class ForeignCashRow(Base):
    """The balance of the newest ledger entry of each currency but the account's."""

    __tablename__ = "foreign_cash"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[Decimal]
    #: That the books used last: the value is known also when nothing else tells a rate.
    rate: Mapped[Decimal]

    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance"),
        CheckConstraint("mode IN ('paper', 'live')", name="mode"),
    )


class FxRateRow(Base):
    """A rate that an admin set. Rows are only ever added."""

    __tablename__ = "fx_rates"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    currency: Mapped[str]
    quote_currency: Mapped[str]
    #: Of the quote currency, for one unit of the other.
    rate: Mapped[Decimal]
    #: From when on it holds.
    at: Mapped[datetime]
    set_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("currency", "quote_currency", "at", "id"),
        CheckConstraint("currency <> quote_currency", name="pair"),
        CheckConstraint("rate > 0", name="rate"),
    )
