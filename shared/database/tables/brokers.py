"""Connections of accounts to their brokers. Written by the order processors."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
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
