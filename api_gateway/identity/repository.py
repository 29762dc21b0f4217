"""Users and sessions in Postgres. Nothing here commits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from shared.auth import Role
from shared.database.tables import SessionRow, UserRow

#: Any number, the same in all gateways.
_FIRST_ADMIN_LOCK = 0x61646D696E


@dataclass(frozen=True)
class User:
    id: UUID
    email: str
    username: str
    role: Role
    active: bool
    password_hash: str
    created_at: datetime


def _user(row: UserRow) -> User:
    return User(
        id=row.id,
        email=row.email,
        username=row.username,
        role=cast("Role", row.role),
        active=row.status == "active",
        password_hash=row.password_hash,
        created_at=row.created_at,
    )


def add_user(db: Session, email: str, username: str, password_hash: str, role: Role) -> User:
    """Raises IntegrityError when the e-mail or the username is taken."""
    row = UserRow(email=email, username=username, password_hash=password_hash, role=role)
    db.add(row)
    db.flush()
    return _user(row)


def user(db: Session, user_id: UUID) -> User | None:
    row = db.get(UserRow, user_id)
    return None if row is None else _user(row)


def user_by_login(db: Session, login: str) -> User | None:
    """By e-mail or username; a username has no `@`, so one login never means two users."""
    column = UserRow.email if "@" in login else UserRow.username
    row = db.scalars(select(UserRow).where(func.lower(column) == func.lower(login))).one_or_none()
    return None if row is None else _user(row)


def has_admin(db: Session) -> bool:
    """Waits for a rival that is making the first admin, and keeps the next one waiting."""
    db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FIRST_ADMIN_LOCK})
    return db.scalar(select(UserRow.id).where(UserRow.role == "admin").limit(1)) is not None


def open_session(db: Session, session_id: UUID, user_id: UUID, refresh_hash: str) -> None:
    db.add(
        SessionRow(
            id=session_id,
            user_id=user_id,
            refresh_hash=refresh_hash,
            created_at=func.now(),
            last_seen_at=func.now(),
        )
    )
    db.flush()


def locked_live_session(db: Session, session_id: UUID, timeout: timedelta) -> SessionRow | None:
    """The session, if it lives and its user may sign in; others wait for this transaction."""
    return db.scalars(
        select(SessionRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(
            SessionRow.id == session_id,
            SessionRow.ended_at.is_(None),
            SessionRow.last_seen_at > func.now() - timeout,
            UserRow.status == "active",
        )
        .with_for_update(of=SessionRow)
    ).one_or_none()


def rotate(db: Session, session_id: UUID, refresh_hash: str) -> None:
    db.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id)
        .values(refresh_hash=refresh_hash, last_seen_at=func.now())
    )


def end_session(db: Session, session_id: UUID, reason: str) -> None:
    """Ending it again changes nothing."""
    db.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.ended_at.is_(None))
        .values(ended_at=func.now(), ended_reason=reason)
    )


def touch_session(db: Session, session_id: UUID, at_most_every: timedelta) -> None:
    """Note that the session is in use; no write when that was noted a moment ago."""
    db.execute(
        update(SessionRow)
        .where(
            SessionRow.id == session_id,
            SessionRow.ended_at.is_(None),
            SessionRow.last_seen_at < func.now() - at_most_every,
        )
        .values(last_seen_at=func.now())
    )
