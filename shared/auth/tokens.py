"""Access tokens: short-lived JWTs, signed with HS256, that name a server-side session.

A token alone proves who signed in; whether the session still lives is asked of the database
(`shared.auth.access`), so that a logout takes effect before the token expires.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast, get_args
from uuid import UUID

import jwt

from shared.config import Settings

Role = Literal["trader", "investor", "admin"]
_ROLES: frozenset[str] = frozenset(get_args(Role))

_ALGORITHM = "HS256"
_ISSUER = "trading-platform"
_TYPE = "access"
_CLAIMS = ["sub", "sid", "role", "exp", "iat", "typ", "iss", "aud"]


class TokenError(Exception):
    """Not a token of ours that is valid now. `code` is `token_expired` or `token_invalid`."""

    def __init__(self, code: Literal["token_expired", "token_invalid"], message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Principal:
    """Who calls, as the token says it."""

    user_id: UUID
    session_id: UUID
    role: Role
    expires_at: datetime


class Tokens:
    """Issues and verifies with one secret. Any other algorithm, `none` included, is refused."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    @classmethod
    def from_settings(cls, settings: Settings) -> "Tokens":
        return cls(settings.jwt_secret.get_secret_value())

    def issue(
        self, user_id: UUID, session_id: UUID, role: Role, *, now: datetime, lifetime: timedelta
    ) -> str:
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "role": role,
            "iat": now,
            "exp": now + lifetime,
            "typ": _TYPE,
            "iss": _ISSUER,
            "aud": _ISSUER,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Raises TokenError. A token is over at the very second of its `exp`."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_ISSUER,
                options={"require": _CLAIMS},
            )
            return _principal(claims)
        except jwt.ExpiredSignatureError as error:
            raise TokenError("token_expired", "The access token has expired.") from error
        # Hostile tokens reach deep into the decoder: what it can't convert is invalid as well.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenError("token_invalid", "This is not a valid access token.") from error


def _principal(claims: dict[str, Any]) -> Principal:
    if claims["typ"] != _TYPE or claims["role"] not in _ROLES:
        raise ValueError("another kind of token")
    return Principal(
        user_id=UUID(str(claims["sub"])),
        session_id=UUID(str(claims["sid"])),
        role=cast("Role", claims["role"]),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )
