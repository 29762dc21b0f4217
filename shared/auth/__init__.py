"""Who is calling, and what they may see: the same answers at every edge."""

from shared.auth.access import AccountAccess, account_access, ended_sessions, session_is_alive
from shared.auth.tokens import Principal, Role, TokenError, Tokens

__all__ = [
    "AccountAccess",
    "Principal",
    "Role",
    "TokenError",
    "Tokens",
    "account_access",
    "ended_sessions",
    "session_is_alive",
]
