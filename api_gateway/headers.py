"""Headers that make browsers careful, on every answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_CSP = b"content-security-policy"
#: For answers that are data: nothing in them may run. Pages bring their own policy.
_DATA_CSP = b"default-src 'none'; frame-ancestors 'none'"
_CACHE = b"cache-control"


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *_HEADERS]
                if _CSP not in present:
                    message["headers"].append((_CSP, _DATA_CSP))
                if _CACHE not in present:
                    # Someone's positions don't belong into a shared cache.
                    message["headers"].append((_CACHE, b"no-store"))
            await send(message)

        await self._app(scope, receive, send_with_headers)
