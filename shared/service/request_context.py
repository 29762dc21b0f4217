"""ASGI middleware: a request id that follows a request through every service, and its metrics."""

import re
import time
from functools import lru_cache
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.service.internal_client import REQUEST_ID_HEADER, current_request_id
from shared.service.problems import Problem, problem_response

__all__ = ["REQUEST_ID_HEADER", "RequestContext", "current_request_id"]

log = structlog.get_logger()

_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

REQUESTS = Counter("http_requests_total", "HTTP requests", ["method", "route", "status"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Time from request to the end of the answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


@lru_cache(maxsize=1024)
def _counted(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Finding them by their labels takes longer than counting."""
    return REQUESTS.labels(method, route, status), LATENCY.labels(method, route)


class RequestContext:
    """Takes the caller's request id or makes one, answers with it, logs and counts the request.

    A body beyond `max_body_bytes` is refused with 413, by its declared length or, when it
    declares none, as soon as it has grown too long. Paths in `unbounded_paths`, and those below
    one that ends with a slash, bound theirs themselves.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, unbounded_paths: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._unbounded_paths = unbounded_paths
        self._unbounded_folders = tuple(path for path in unbounded_paths if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        offered = headers.get(REQUEST_ID_HEADER.lower().encode(), b"").decode("latin-1")
        request_id = offered if _VALID_REQUEST_ID.fullmatch(offered) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (REQUEST_ID_HEADER.lower().encode(), request_id.encode()),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._serve(scope, receive, send_with_id, headers, request_id)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                elapsed = time.perf_counter() - started
                requests, latency = _counted(scope["method"], route, status)
                requests.inc()
                latency.observe(elapsed)
                log.debug(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round(elapsed * 1000, 2),
                )

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: dict[bytes, bytes],
        request_id: str,
    ) -> None:
        if self._is_unbounded(scope["path"]):
            await self._app(scope, receive, send)
            return
        limit = self._max_body_bytes
        if not _within(headers.get(b"content-length", b"0"), limit):
            await problem_response(_too_large(limit), request_id)(scope, receive, send)
            return
        received = 0
        answered = False

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise _too_large(limit)
            return message

        async def send_or_refuse(message: Message) -> None:
            # Whoever read the body may have made another answer of the refusal raised there.
            nonlocal answered
            if answered:
                return
            if received > limit and message["type"] == "http.response.start":
                answered = True
                await problem_response(_too_large(limit), request_id)(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive_bounded, send_or_refuse)

    def _is_unbounded(self, path: str) -> bool:
        return path in self._unbounded_paths or path.startswith(self._unbounded_folders)


def _within(declared: bytes, limit: int) -> bool:
    """Whether a declared length is a number within the limit; absurdly long ones aren't read."""
    return declared.isdigit() and len(declared) <= 18 and int(declared) <= limit


def _too_large(limit: int) -> Problem:
    return Problem(413, "body_too_large", f"The body must not be longer than {limit} bytes.")
