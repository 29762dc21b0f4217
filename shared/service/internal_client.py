"""Calling other services. Without FastAPI, for processes that serve none of it themselves."""

import httpx
import structlog

from shared.config import Settings
from shared.utils.tls import trusted_authorities

INTERNAL_TOKEN_HEADER = "X-Internal-Token"  # noqa: S105
REQUEST_ID_HEADER = "X-Request-ID"


def current_request_id() -> str | None:
    """Id of the request that is being served in this context, to be passed on."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


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
        verify=trusted_authorities(),
        trust_env=False,
    )
