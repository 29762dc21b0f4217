"""Connections of accounts to their brokers. Written by the order processors."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base


class BrokerConnectionRow(Base):
    """Stays when it is disconnected, without the credentials: an account's live books are those
    of one account at one broker, for good."""

    __tablename__ = "broker_connections"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    broker: Mapped[str]
    #: The broker's own number of the account.
    account_number: Mapped[str]
    #: Sealed (`shared/auth/vault.py`); None once it is disconnected.
    credentials: Mapped[str | None]
    connected_at: Mapped[datetime]
    #: `user:<uuid>`.
    connected_by: Mapped[str]
    disconnected_at: Mapped[datetime | None]
    #: Of its session: `connecting`, `ready`, `away` or `stopped`, why, and since when.
    state: Mapped[str] = mapped_column(default="connecting", server_default="connecting")
    state_reason: Mapped[str | None]
    state_at: Mapped[datetime | None]


class BrokerOrderRow(Base):
    """What a live order has to do with its broker, beyond its own row."""

    __tablename__ = "broker_orders"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    account_id: Mapped[UUID]
    #: The broker's id of it, once it has said one.
    broker_order_id: Mapped[str | None]
    cancel_wanted: Mapped[bool]


class BrokerDifferenceRow(Base):
    """Between the books and what the broker says. Kept when it is gone."""

    __tablename__ = "broker_differences"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    #: `cash`, `position`, `unknown_order`, `filled_after_end` or `contradiction`.
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: A symbol or a client order id; empty for cash.
    subject: Mapped[str] = mapped_column(primary_key=True)
    ours: Mapped[str]
    theirs: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: When cash or the position agreed again.
    gone_at: Mapped[datetime | None]
