"""Where the request under way came from: commands carry it to the audit trail."""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.models.risk import Origin

_LONGEST = 256
_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current_origin() -> Origin | None:
    return _origin.get()


class OriginContext:
    """ASGI middleware. The address is the connection's: behind a proxy, the proxy's, unless the
    server in front of the application was told to trust what the proxy says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
        printable = "".join(each for each in agent.decode("latin-1") if each.isprintable())
        token = _origin.set(Origin(client[0] if client else "", printable[:_LONGEST]))
        try:
            await self._app(scope, receive, send)
        finally:
            _origin.reset(token)
