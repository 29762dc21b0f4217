"""Who calls, and what they may touch: asked of the database, remembered for a moment.

Every request needs both answers, and they hardly ever change; going by an answer that is a
second old saves two queries an order. A logout at this gateway is seen at once, one at
another gateway after that second.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.errors import Refused
from api_gateway.identity.repository import touch_session
from shared.auth import (
    AccountAccess,
    Principal,
    Role,
    TokenError,
    Tokens,
    account_access,
    session_is_alive,
)

K = TypeVar("K")
V = TypeVar("V")

_MOST_REMEMBERED = 10_000


class Remembered(Generic[K, V]):
    """Answers, each for `lifetime_s`. Full means: forget them all, and ask again."""

    def __init__(self, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._answers: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        found = self._answers.get(key)
        return None if found is None or found[0] <= self._clock() else found[1]

    def put(self, key: K, value: V) -> None:
        if len(self._answers) >= _MOST_REMEMBERED:
            self._answers.clear()
        self._answers[key] = (self._clock() + self._lifetime_s, value)

    def drop(self, key: K) -> None:
        self._answers.pop(key, None)


class Callers:
    def __init__(
        self,
        sessions: sessionmaker[Session],
        tokens: Tokens,
        *,
        session_timeout: timedelta,
        recheck_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._session_timeout = session_timeout
        # Often enough that a session in use never seems idle, at most once a minute.
        self._touch_every = min(timedelta(minutes=1), session_timeout / 4)
        # What a signature says stays true; its end is looked at each time.
        self._verified = Remembered[str, Principal](recheck_s, clock)
        # As whom the session was found alive: a token from before a change of role isn't.
        self._alive = Remembered[UUID, tuple[UUID, Role]](recheck_s, clock)
        self._access = Remembered[tuple[UUID, UUID], AccountAccess](recheck_s, clock)

    async def identify(self, token: str) -> Principal:
        """Raises Refused for a token that isn't valid and for a session that has ended."""
        principal = self._verified.get(token)
        if principal is None or principal.expires_at <= datetime.now(UTC):
            principal = self._verify(token)
        known = (principal.user_id, principal.role)
        if self._alive.get(principal.session_id) != known:
            if not await run_in_threadpool(self._is_alive, principal):
                raise Refused("session_ended", "The session has ended. Sign in again.")
            self._alive.put(principal.session_id, known)
        return principal

    def _verify(self, token: str) -> Principal:
        try:
            principal = self._tokens.verify(token)
        except TokenError as error:
            raise Refused(error.code, str(error)) from error
        self._verified.put(token, principal)
        return principal

    async def access(self, principal: Principal, account_id: UUID) -> AccountAccess:
        """Raises Refused("not_found") for what doesn't exist and for what is someone else's."""
        key = (principal.session_id, account_id)
        access = self._access.get(key)
        if access is None:
            access = await run_in_threadpool(self._ask_access, principal, account_id)
            if access is None:
                raise Refused("not_found", "There is no such account.")
            self._access.put(key, access)
        return access

    def forget(self, session_id: UUID) -> None:
        self._alive.drop(session_id)

    def _is_alive(self, principal: Principal) -> bool:
        with self._sessions.begin() as db:
            alive = session_is_alive(db, principal, self._session_timeout)
            if alive:
                touch_session(db, principal.session_id, self._touch_every)
            return alive

    def _ask_access(self, principal: Principal, account_id: UUID) -> AccountAccess | None:
        with self._sessions() as db:
            return account_access(db, principal, account_id)
