"""Calls between services: a shared token proves the caller, the request id goes along."""

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Header

from shared.config import Settings
from shared.service.internal_client import INTERNAL_TOKEN_HEADER, internal_client
from shared.service.problems import Problem

__all__ = ["INTERNAL_TOKEN_HEADER", "internal_client", "require_internal_token"]


def require_internal_token(settings: Settings) -> Callable[..., None]:
    """A dependency for every `/internal` router: 401 without the platform's own token."""
    expected = settings.internal_token.get_secret_value().encode()

    def check(x_internal_token: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(x_internal_token.encode("utf-8", "replace"), expected):
            raise Problem(401, "unauthenticated", "This interface is for the platform's services.")

    return check
