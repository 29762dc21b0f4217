"""Studies that machines work on together. Written by `tradectl hyperopt --shared`."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base, utc_now


class StudyRow(Base):
    __tablename__ = "studies"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: What all who work on it must have alike: search, space, data and code.
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class StudyTrialRow(Base):
    """A trial that somebody has taken on, or finished."""

    __tablename__ = "study_trials"

    study: Mapped[str] = mapped_column(ForeignKey("studies.name"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    owner: Mapped[str]
    #: After this an unfinished one may be taken over.
    claimed_until: Mapped[datetime]
    result: Mapped[dict[str, Any] | None]

    __table_args__ = (CheckConstraint("number >= 0", name="number"),)
