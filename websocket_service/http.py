"""The few HTTP answers that share the WebSocket port: health and metrics."""

import http
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from shared.service.health import Check, check_readiness


async def answer_http(
    request: Request, readiness: Mapping[str, Check], *, full: bool
) -> Response | None:
    """None for the stream's own path: the WebSocket handshake goes on."""
    match urlsplit(request.path).path:
        case "/v1/stream" if full:
            return _problem(503, "too_many_connections", "This instance serves no more clients.")
        case "/v1/stream" if request.headers.get("Upgrade", "").lower() != "websocket":
            return _problem(426, "upgrade_required", "This is a WebSocket endpoint.")
        case "/v1/stream":
            return None
        case "/health/live":
            return _json(200, {"status": "ok"})
        case "/health/ready":
            found = await check_readiness(readiness)
            status = "ok" if found.ready else "not_ready"
            body = {"status": status, "dependencies": dict(found.dependencies)}
            return _json(200 if found.ready else 503, body)
        case "/metrics":
            return _response(200, CONTENT_TYPE_LATEST, generate_latest())
    return _problem(404, "not_found", "There is no such page.")


def _problem(status: int, code: str, detail: str) -> Response:
    title = http.HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return _response(status, "application/problem+json", json.dumps(body).encode())


def _json(status: int, body: object) -> Response:
    return _response(status, "application/json", json.dumps(body).encode())


def _response(status: int, content_type: str, body: bytes) -> Response:
    headers = Headers(
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
    )
    if status == 426:
        headers["Upgrade"] = "websocket"
    return Response(status, http.HTTPStatus(status).phrase, headers, body)
