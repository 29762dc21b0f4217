"""Passing requests on to the other services, and their answers back.

Bodies go through as they are: the service behind owns their shape and has validated them,
and 100,000 candles must not be decoded here only to be encoded again.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import structlog
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from shared.service.problems import MEDIA_TYPE, Problem

log = structlog.get_logger()

QueryValue = str | int | float | bool | list[str]
#: What of a service's answer concerns the client.
_PASSED_HEADERS = ("content-type", "retry-after", "content-encoding", "location")


class Upstream:
    """One service behind us. `name` is what its users call it."""

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self._name = name
        self._client = client

    async def get(
        self, path: str, query: Mapping[str, QueryValue | None] | None = None
    ) -> Response:
        return await self._pass_on("GET", path, params=_given(query or {}))

    async def post(
        self,
        path: str,
        body: object = None,
        query: Mapping[str, QueryValue | None] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Response:
        waiting = {} if timeout_s is None else {"timeout": timeout_s}
        return await self._pass_on("POST", path, json=body, params=_given(query or {}), **waiting)

    async def delete(self, path: str, query: Mapping[str, QueryValue | None]) -> Response:
        return await self._pass_on("DELETE", path, params=_given(query))

    async def patch(
        self, path: str, body: object, query: Mapping[str, QueryValue | None]
    ) -> Response:
        return await self._pass_on("PATCH", path, json=body, params=_given(query))

    async def put(self, path: str, body: object) -> Response:
        return await self._pass_on("PUT", path, json=body)

    async def put_stream(
        self,
        path: str,
        request: Request,
        timeout_s: float,
        query: Mapping[str, QueryValue | None] | None = None,
    ) -> Response:
        """Pass the request's body on piece by piece, as it arrives."""
        headers = {
            name: request.headers[name]
            for name in ("content-length", "content-type", "content-encoding")
            if name in request.headers
        }
        return await self._pass_on(
            "PUT",
            path,
            content=_pieces(request),
            headers=headers,
            timeout=timeout_s,
            params=_given(query or {}),
        )

    async def _pass_on(self, method: str, path: str, **kwargs: Any) -> Response:
        try:
            answer = await self._client.request(method, path, **kwargs)
        except ClientDisconnect as error:
            raise Problem(400, "bad_request", "The body ended before it was complete.") from error
        except httpx.TransportError as error:
            log.warning("upstream_unavailable", upstream=self._name, error=repr(error))
            raise Problem(
                503,
                "service_unavailable",
                f"The {self._name} does not answer. Try again shortly.",
                headers={"Retry-After": "1"},
            ) from error
        return self._answer(answer)

    def _answer(self, answer: httpx.Response) -> Response:
        """As it came, except what only makes sense between the services."""
        is_problem = answer.headers.get("content-type", "").startswith(MEDIA_TYPE)
        passable = answer.is_success or (is_problem and answer.status_code not in (401, 500))
        if not passable:
            log.error("upstream_failed", upstream=self._name, status=answer.status_code)
            raise Problem(502, "upstream_failed", f"The {self._name} failed to answer this.")
        headers = {n: answer.headers[n] for n in _PASSED_HEADERS if n in answer.headers}
        return Response(answer.content, status_code=answer.status_code, headers=headers)


def decoded(answer: Response) -> Any:
    """The body of a JSON answer that this gateway itself has to look at."""
    return json.loads(bytes(answer.body))


def reshaped(answer: Response, body: object) -> JSONResponse:
    return JSONResponse(body, status_code=answer.status_code)


def _given(query: Mapping[str, QueryValue | None]) -> dict[str, QueryValue]:
    return {name: value for name, value in query.items() if value is not None}


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece
