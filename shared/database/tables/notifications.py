"""What users are told of, kept until they have read it and for a while after."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base


class NotificationRow(Base):
    """Written in the transaction of what it tells of, by whoever did that."""

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[UUID | None]
    mode: Mapped[str | None]
    deployment_id: Mapped[UUID | None]
    severity: Mapped[str]
    #: Stable; `text` is a sentence for people.
    code: Mapped[str]
    text: Mapped[str]
    context: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    read_at: Mapped[datetime | None]
    #: Of its frame on the user's topic, given after it was written; and whether that is published.
    topic_seq: Mapped[int | None] = mapped_column(BigInteger)
    told: Mapped[bool] = mapped_column(default=False, server_default="false")

    __table_args__ = (
        CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity"),
        Index("ix_notifications_user_id_id", "user_id", "id"),
        Index("ix_notifications_created_at", "created_at"),
        Index("ix_notifications_untold", "id", postgresql_where=sql("NOT told")),
        UniqueConstraint("user_id", "topic_seq"),
    )


class NotificationTopicRow(Base):
    """Number of the last frame of each user's topic: it rises for good, also when rows end."""

    __tablename__ = "notification_topics"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
