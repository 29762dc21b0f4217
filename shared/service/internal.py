"""Calls between services: a shared token proves the caller, the request id goes along."""

import secrets
from collections.abc import Callable
from typing import Annotated

import httpx
from fastapi import Header

from shared.config import Settings
from shared.service.problems import Problem
from shared.service.request_context import REQUEST_ID_HEADER, current_request_id

INTERNAL_TOKEN_HEADER = "X-Internal-Token"  # noqa: S105


def require_internal_token(settings: Settings) -> Callable[..., None]:
    """A dependency for every `/internal` router: 401 without the platform's own token."""
    expected = settings.internal_token.get_secret_value().encode()

    def check(x_internal_token: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(x_internal_token.encode("utf-8", "replace"), expected):
            raise Problem(401, "unauthenticated", "This interface is for the platform's services.")

    return check


def internal_client(
    settings: Settings, base_url: str, timeout_s: float = 10.0
) -> httpx.AsyncClient:
    """A client of another service's `/internal` interface."""

    async def pass_request_id(request: httpx.Request) -> None:
        request_id = current_request_id()
        if request_id is not None:
            request.headers[REQUEST_ID_HEADER] = request_id

    return httpx.AsyncClient(
        base_url=base_url,
        timeout=timeout_s,
        headers={INTERNAL_TOKEN_HEADER: settings.internal_token.get_secret_value()},
        event_hooks={"request": [pass_request_id]},
        trust_env=False,
    )
