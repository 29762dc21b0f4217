"""Errors as RFC 9457 problem details, the same in every service.

An edge raises `Problem`; everything else that reaches the application becomes one here, so
that a client never sees a stack trace and always finds a stable `code`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class ProblemBody(BaseModel):
    """The shape of every error body. Some carry members of their own besides these."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    #: Stable: programs decide by it.
    code: str
    #: A sentence for people.
    detail: str
    request_id: str | None = None
    #: Invalid fields: where, and what is wrong with each.
    errors: list[dict[str, str]] | None = None


class Problem(Exception):  # noqa: N818
    """The caller's request can't be served; says why.

    `members` go into the body beside the standard ones (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.members = members


def not_found(what: str) -> Problem:
    """For what doesn't exist and for what belongs to someone else alike."""
    return Problem(404, "not_found", f"There is no such {what}.")


def problem_response(problem: Problem, request_id: str | None) -> JSONResponse:
    body = ProblemBody(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        code=problem.code,
        detail=_encodable(problem.detail),
        request_id=request_id,
        errors=problem.errors,
    )
    return JSONResponse(
        {**body.model_dump(exclude_none=True), **(problem.members or {})},
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(problem.headers or {}),
    )


_HTTP_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


#: One body can have a great many faults; these tell enough.
_FIELDS_TOLD = 20


def _invalid_fields(error: RequestValidationError) -> list[dict[str, str]]:
    """Where and what, never the value: it may be a password."""
    return [
        {
            "field": _encodable(".".join(str(part) for part in item["loc"])[:200]),
            # Our own validators' sentences come behind a prefix that says nothing to a client.
            "message": _encodable(str(item["msg"]).removeprefix("Value error, ")[:500]),
        }
        for item in error.errors()[:_FIELDS_TOLD]
    ]


def _encodable(text: str) -> str:
    """A client's JSON can hold lone surrogates, which UTF-8 can't."""
    return text.encode("utf-8", "replace").decode("utf-8")


def install_problem_handlers(app: FastAPI) -> None:
    def respond(request: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem, getattr(request.state, "request_id", None))

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> JSONResponse:
        return respond(request, error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = _invalid_fields(error)
        detail = "; ".join(f"{field['field']}: {field['message']}" for field in fields[:3])
        return respond(request, Problem(422, "invalid_request", detail, errors=fields))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = _HTTP_CODES.get(error.status_code, f"http_{error.status_code}")
        detail = str(error.detail)
        return respond(request, Problem(error.status_code, code, detail, headers=error.headers))

    async def on_store_away(request: Request, error: Exception) -> JSONResponse:
        log.warning("store_unavailable", error=repr(error))
        problem = Problem(
            503,
            "temporarily_unavailable",
            "A store that this needs does not answer. Try again shortly.",
            headers={"Retry-After": "1"},
        )
        return respond(request, problem)

    for kind in (OperationalError, InterfaceError, PoolTimeoutError, RedisError):
        app.add_exception_handler(kind, on_store_away)

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected_error", exc_info=error)
        return respond(
            request,
            Problem(500, "internal_error", "Something went wrong here; it has been logged."),
        )


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: documents these statuses as problem bodies."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": ProblemBody.model_json_schema()}},
        }
        for status in statuses
    }
