"""Who may come in: register, sign in, stay, leave."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.errors import Refused
from api_gateway.identity import repository
from api_gateway.identity.passwords import Passwords
from api_gateway.identity.refresh_tokens import RefreshToken
from api_gateway.identity.repository import User
from shared.auth import Principal, Role, Tokens

log = structlog.get_logger()


@dataclass(frozen=True)
class IssuedTokens:
    access_token: str
    refresh_token: str
    expires_in_s: int


class FirstAdminError(Exception):
    """The first admin can't be made; the operator must choose another e-mail or username."""


class Identity:
    def __init__(
        self,
        sessions: sessionmaker[Session],
        passwords: Passwords,
        tokens: Tokens,
        *,
        access_lifetime: timedelta,
        session_timeout: timedelta,
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._tokens = tokens
        self._access_lifetime = access_lifetime
        self._session_timeout = session_timeout

    async def register(
        self, email: str, username: str, password: str, role: Literal["trader", "investor"]
    ) -> User:
        password_hash = await self._passwords.hash(password)
        return await run_in_threadpool(self._add_user, email, username, password_hash, role)

    async def login(self, login: str, password: str) -> IssuedTokens:
        """One answer, after about the same time, to a wrong password and to an unknown user."""
        user = await run_in_threadpool(self._find, login)
        matched = await self._passwords.matches(
            password, None if user is None else user.password_hash
        )
        if user is None or not matched or not user.active:
            raise Refused("wrong_credentials", "The login or the password is wrong.")
        return await run_in_threadpool(self._open_session, user)

    def refresh(self, refresh_token: str) -> IssuedTokens:
        token = RefreshToken.parse(refresh_token)
        issued = None if token is None else self._rotate(token)
        if issued is None:
            raise Refused(
                "refresh_token_invalid", "The refresh token is not valid (any more). Sign in again."
            )
        return issued

    def logout(self, principal: Principal) -> None:
        with self._sessions.begin() as db:
            repository.end_session(db, principal.session_id, "logout")

    def me(self, principal: Principal) -> User:
        with self._sessions() as db:
            user = repository.user(db, principal.user_id)
        if user is None:
            raise Refused("session_ended", "The session has ended. Sign in again.")
        return user

    async def ensure_first_admin(self, email: str, username: str, password: str) -> bool:
        """Make the first admin unless there is one; gateways that start together make one."""
        password_hash = await self._passwords.hash(password)
        return await run_in_threadpool(self._ensure_admin, email, username, password_hash)

    def _find(self, login: str) -> User | None:
        with self._sessions() as db:
            return repository.user_by_login(db, login)

    def _add_user(self, email: str, username: str, password_hash: str, role: Role) -> User:
        try:
            with self._sessions.begin() as db:
                return repository.add_user(db, email, username, password_hash, role)
        except IntegrityError as error:
            if "uq_users_email_lower" in str(error.orig):
                raise Refused("email_taken", "This e-mail is registered already.") from error
            raise Refused("username_taken", "This username is taken.") from error

    def _open_session(self, user: User) -> IssuedTokens:
        token = RefreshToken.new(uuid4())
        with self._sessions.begin() as db:
            repository.open_session(db, token.session_id, user.id, token.hash)
        return self._issue(user.id, user.role, token)

    def _rotate(self, token: RefreshToken) -> IssuedTokens | None:
        with self._sessions.begin() as db:
            session = repository.locked_live_session(db, token.session_id, self._session_timeout)
            if session is None:
                return None
            if not token.is_newest(session.refresh_hash):
                log.warning("refresh_token_reused", session_id=str(token.session_id))
                repository.end_session(db, token.session_id, "refresh_token_reused")
                return None
            user = repository.user(db, session.user_id)
            assert user is not None, "sessions reference their user"
            newest = RefreshToken.new(token.session_id)
            repository.rotate(db, token.session_id, newest.hash)
        return self._issue(user.id, user.role, newest)

    def _issue(self, user_id: UUID, role: Role, refresh: RefreshToken) -> IssuedTokens:
        access = self._tokens.issue(
            user_id,
            refresh.session_id,
            role,
            now=datetime.now(UTC),
            lifetime=self._access_lifetime,
        )
        return IssuedTokens(access, str(refresh), round(self._access_lifetime.total_seconds()))

    def _ensure_admin(self, email: str, username: str, password_hash: str) -> bool:
        try:
            with self._sessions.begin() as db:
                if repository.has_admin(db):
                    return False
                repository.add_user(db, email, username, password_hash, "admin")
        except IntegrityError as error:
            raise FirstAdminError(
                "ADMIN_EMAIL or ADMIN_USERNAME belongs to another user; choose others"
            ) from error
        log.info("first_admin_created", username=username)
        return True
