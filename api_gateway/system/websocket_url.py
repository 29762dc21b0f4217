"""Where a client finds the WebSocket: configured, or next door to where it found us."""

import re

from fastapi import Request

from api_gateway.settings import GatewaySettings

PATH = "/v1/stream"
#: A host as browsers send it. Anything else must not get into a policy or an answer.
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


def websocket_origin(request: Request, settings: GatewaySettings) -> str:
    """Scheme, host and port."""
    public = settings.websocket_public_url
    if public is not None:
        host = public.host or ""
        return f"{public.scheme}://{host}:{public.port}"
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"{scheme}://{_host(request)}:{settings.websocket_port}"


def websocket_url(request: Request, settings: GatewaySettings) -> str:
    public = settings.websocket_public_url
    if public is not None:
        return str(public)
    return websocket_origin(request, settings) + PATH


def _host(request: Request) -> str:
    header = request.headers.get("host", "")
    host = re.sub(r":[0-9]*$", "", header)
    return host if _HOST.fullmatch(host) else "127.0.0.1"
