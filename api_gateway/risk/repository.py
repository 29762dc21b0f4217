"""Limits, the platform's kill switch, and the audit trail. Nothing here commits."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import (
    AccountRow,
    AuditRow,
    DeploymentRow,
    RiskLimitsRow,
    RiskPlatformRow,
    UserRow,
    utc_now,
)
from shared.models.identifiers import Mode
from shared.trading.risk import Level


def next_version(db: Session) -> int:
    """Holds the platform's row until the transaction ends: changes have an order."""
    version: int = db.execute(
        text(
            "INSERT INTO risk_platform (id, version, halts, halted, flatten, reason, changed_by,"
            " changed_at) VALUES (1, 1, 0, false, false, '', '', now())"
            " ON CONFLICT (id) DO UPDATE SET version = risk_platform.version + 1"
            " RETURNING version"
        )
    ).scalar_one()
    return version


def limits(db: Session, level: Level, subject: str, mode: Mode) -> RiskLimitsRow | None:
    return db.get(RiskLimitsRow, (level, subject, mode))


def limits_of(db: Session, keys: Sequence[tuple[Level, str]], mode: Mode) -> list[RiskLimitsRow]:
    """Those that there are, in the order of `keys`."""
    found = (limits(db, level, subject, mode) for level, subject in keys)
    return [row for row in found if row is not None]


def set_limits(
    db: Session, level: Level, subject: str, mode: Mode, values: dict[str, Any], by: str
) -> int:
    """The version of the rules that have them."""
    version = next_version(db)
    row = {
        "limits": values,
        "version": version,
        "changed_by": by,
        "changed_at": utc_now(),
    }
    db.execute(
        insert(RiskLimitsRow)
        .values(level=level, subject=subject, mode=mode, **row)
        .on_conflict_do_update(index_elements=["level", "subject", "mode"], set_=row)
    )
    return version


def accounts_of(db: Session, user_id: UUID) -> list[UUID]:
    return list(db.scalars(select(AccountRow.id).where(AccountRow.owner_id == user_id)))


def platform(db: Session) -> RiskPlatformRow | None:
    return db.get(RiskPlatformRow, 1, populate_existing=True)


def engage(db: Session, reason: str, by: str, *, flatten: bool) -> None:
    """All strategies pause with it."""
    next_version(db)
    row = db.get_one(RiskPlatformRow, 1, populate_existing=True)
    if not row.halted or (flatten and not row.flatten):
        row.halts += 1
        row.halted, row.flatten, row.reason = True, flatten, reason
        row.changed_by, row.changed_at = by, utc_now()
    running = (
        select(DeploymentRow.id)
        .where(DeploymentRow.wanted == "running", DeploymentRow.status != "stopped")
        .order_by(DeploymentRow.id)
        .with_for_update()
    )
    db.execute(
        update(DeploymentRow)
        .where(DeploymentRow.id.in_(running.scalar_subquery()))
        .values(
            wanted="paused",
            last_error=f"The platform's kill switch was engaged: {reason}",
            updated_at=utc_now(),
        )
    )


def release(db: Session, by: str) -> bool:
    """False when it was not engaged."""
    next_version(db)
    row = db.get_one(RiskPlatformRow, 1, populate_existing=True)
    if not row.halted:
        return False
    row.halted, row.changed_by, row.changed_at = False, by, utc_now()
    return True


def user_exists(db: Session, user_id: UUID) -> bool:
    return db.get(UserRow, user_id) is not None


def owner_of(db: Session, account_id: UUID) -> UUID:
    return db.scalars(select(AccountRow.owner_id).where(AccountRow.id == account_id)).one()


def deployment_mode(db: Session, account_id: UUID, deployment_id: UUID) -> str | None:
    return db.scalars(
        select(DeploymentRow.mode).where(
            DeploymentRow.id == deployment_id, DeploymentRow.account_id == account_id
        )
    ).one_or_none()


def running_strategies(db: Session, mode: Mode, *, owner_id: UUID, account_id: UUID | None) -> int:
    """Of the account, or of all accounts of its owner."""
    query = (
        select(func.count())
        .select_from(DeploymentRow)
        .join(AccountRow, AccountRow.id == DeploymentRow.account_id)
        .where(
            AccountRow.owner_id == owner_id,
            DeploymentRow.mode == mode,
            DeploymentRow.wanted == "running",
            DeploymentRow.status.in_(("starting", "running")),
        )
    )
    if account_id is not None:
        query = query.where(DeploymentRow.account_id == account_id)
    return db.scalars(query).one()


def add_audit(db: Session, **fields: Any) -> None:
    db.add(AuditRow(**fields))


def audit(
    db: Session, account_id: UUID | None, mode: Mode | None, before: int | None, limit: int
) -> Sequence[AuditRow]:
    """Newest first; of all accounts when `account_id` is None."""
    query = select(AuditRow)
    if account_id is not None:
        query = query.where(AuditRow.account_id == account_id)
    if mode is not None:
        query = query.where(AuditRow.mode == mode)
    if before is not None:
        query = query.where(AuditRow.id < before)
    return db.scalars(query.order_by(AuditRow.id.desc()).limit(limit)).all()
