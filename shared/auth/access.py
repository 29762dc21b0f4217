"""What the database knows about a caller: whether the session lives, and whose an account is."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from shared.auth.tokens import Principal
from shared.database.tables import AccountRow, SessionRow, UserRow

AccountAccess = Literal["owner", "admin"]


def session_is_alive(
    connection: Connection | Session, principal: Principal, timeout: timedelta
) -> bool:
    """The session is the user's, has not ended, was active within `timeout`, and the user may
    sign in with the role that the token names (one whose role was changed signs in again)."""
    alive = (
        select(SessionRow.id)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(
            SessionRow.id == principal.session_id,
            SessionRow.user_id == principal.user_id,
            SessionRow.ended_at.is_(None),
            SessionRow.last_seen_at > func.now() - timeout,
            UserRow.status == "active",
            UserRow.role == principal.role,
        )
    )
    return connection.execute(alive).first() is not None


def account_access(
    connection: Connection | Session, principal: Principal, account_id: UUID
) -> AccountAccess | None:
    """None for an account that doesn't exist and for someone else's: callers can't tell them
    apart. Admins see all accounts."""
    owner = connection.execute(
        select(AccountRow.owner_id).where(AccountRow.id == account_id)
    ).scalar_one_or_none()
    if owner is None:
        return None
    if owner == principal.user_id:
        return "owner"
    return "admin" if principal.role == "admin" else None
