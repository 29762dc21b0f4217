"""Refresh tokens: `<session id>.<secret>`. Only the secret's hash is stored.

The session in the token is what makes re-use visible: a token that names a living session
but isn't its newest was used before, by its owner or by a thief. Nobody can tell which, so
the session ends for both.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from uuid import UUID

_FORM = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class RefreshToken:
    session_id: UUID
    secret: str

    @classmethod
    def new(cls, session_id: UUID) -> "RefreshToken":
        return cls(session_id, secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken | None":
        match = _FORM.fullmatch(text)
        return None if match is None else cls(UUID(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.session_id.hex}.{self.secret}"

    @property
    def hash(self) -> str:
        """sha256 is enough: the secret has 256 random bits, there is nothing to guess from."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def is_newest(self, refresh_hash: str) -> bool:
        return secrets.compare_digest(self.hash, refresh_hash)
