"""The risk ladder: limits, latches, the platform's kill switch, and the trail of who did what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base, utc_now

_MODE = "mode IN ('paper', 'live')"


class RiskPlatformRow(Base):
    """One row. Whoever changes limits raises `version` first: its lock puts changes in order."""

    __tablename__ = "risk_platform"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    version: Mapped[int] = mapped_column(BigInteger)
    #: How often the kill switch was engaged.
    halts: Mapped[int] = mapped_column(BigInteger, default=0)
    halted: Mapped[bool] = mapped_column(default=False)
    flatten: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(default="")
    changed_by: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (CheckConstraint("id = 1", name="one"),)


class RiskLimitsRow(Base):
    """Written by the gateway. Removed limits stay, empty: readers ask for what is newer."""

    __tablename__ = "risk_limits"

    level: Mapped[str] = mapped_column(primary_key=True)
    #: Id of the user, account or deployment; empty for the platform.
    subject: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    limits: Mapped[dict[str, Any]]
    #: Of `risk_platform` when it was written.
    version: Mapped[int] = mapped_column(BigInteger, index=True)
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        CheckConstraint("level IN ('platform', 'user', 'account', 'deployment')", name="level"),
        CheckConstraint(_MODE, name="mode"),
    )


class AccountRiskRow(Base):
    """Latches of an account and mode. Written by the order processor that holds its shard."""

    __tablename__ = "account_risk"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    #: `shared.models.risk.RiskState`.
    state: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())

    __table_args__ = (CheckConstraint(_MODE, name="mode"),)


class ShardHaltRow(Base):
    """The last kill of the platform that a shard has carried out."""

    __tablename__ = "order_shard_halts"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class AuditRow(Base):
    """Only ever added to. Commands are written by the shard that answered them, in the
    transaction of what they did; changes of limits by the gateway, likewise."""

    __tablename__ = "order_audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    #: None for what concerns the platform or a user.
    account_id: Mapped[UUID | None]
    mode: Mapped[str | None]
    #: `user:<uuid>`, `deployment:<uuid>` or `risk`.
    actor: Mapped[str]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str]
    #: Tag of the command.
    command: Mapped[str]
    order_id: Mapped[UUID | None]
    client_order_id: Mapped[str | None]
    symbol: Mapped[str | None]
    #: The command's further fields.
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    #: `accepted`, `rejected`, `refused` or `repeated`.
    outcome: Mapped[str]
    #: Why not, with the limit, what it saw, and the level of the ladder.
    code: Mapped[str | None]
    limit_value: Mapped[str | None]
    observed: Mapped[str | None]
    level: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index("ix_order_audit_account_id_id", "account_id", "id"),
        CheckConstraint(
            "outcome IN ('accepted', 'rejected', 'refused', 'repeated')", name="outcome"
        ),
    )
