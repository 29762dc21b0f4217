"""What the database knows about a caller: whether the session lives, and whose an account is."""

from collections.abc import Collection
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
    return not ended_sessions(connection, [principal], timeout)


def ended_sessions(
    connection: Connection | Session, principals: Collection[Principal], timeout: timedelta
) -> set[Principal]:
    """Those of `principals` whose session is no longer alive, found with one question."""
    alive = (
        select(SessionRow.id, UserRow.id, UserRow.role)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(
            SessionRow.id.in_({principal.session_id for principal in principals}),
            SessionRow.ended_at.is_(None),
            SessionRow.last_seen_at > func.now() - timeout,
            UserRow.status == "active",
        )
    )
    living = {tuple(row) for row in connection.execute(alive)}
    return {
        principal
        for principal in principals
        if (principal.session_id, principal.user_id, principal.role) not in living
    }


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
