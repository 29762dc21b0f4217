"""Trading accounts. Written by the gateway, but for `margin_terms`; read by everyone."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base, utc_now


class AccountRow(Base):
    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    base_currency: Mapped[str]
    status: Mapped[str] = mapped_column(default="active")
    #: Cash that the paper books open with; the order processor enters it as their first deposit.
    paper_capital: Mapped[Decimal]
    #: How paper orders fill and what that costs: a document of `shared/trading/paper_terms.py`.
    paper_terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    #: Of a margin account, a document of `shared/models/margin.py`; None: a cash account. Changed
    #: by the order processor alone, which checks it against the books.
    margin_terms: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    #: When its owner was told that it is open; until then the request may be sent again.
    opened_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("owner_id", "name"),
        CheckConstraint("status IN ('active', 'closed')", name="status"),
        CheckConstraint("paper_capital >= 0", name="paper_capital"),
    )
