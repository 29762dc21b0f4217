"""The OpenAPI document: shared error shapes, named once and referred to."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api_gateway.orders.schemas import OrderProblem
from shared.service.problems import MEDIA_TYPE, ProblemBody

TITLE = "Trading platform"
VERSION = "1"

_DESCRIPTION = """
Everything that a trader, an investor, an admin or a bot can ask of the platform.

- Sign in with `POST /api/v1/auth/login` and send the access token as `Authorization: Bearer …`.
- Errors are problem details (RFC 9457) with a stable `code`; programs decide by it.
- Prices, quantities and money are decimal strings; times are RFC 3339 in UTC.
- Lists answer `items` and `next_cursor`; pass it as `cursor` to get the next page.
- An `X-Request-ID` that you send comes back, and is in the logs of every service involved.
"""

_TAGS = [
    ("identity", "Register, sign in, stay signed in, leave."),
    ("accounts", "Trading accounts and what they are worth."),
    ("orders", "Submit, follow and cancel orders; executions, positions, cash."),
    ("risk", "Limits, exposure, loss limit and kill switches; who did what."),
    ("notifications", "What the platform told you of."),
    ("market data", "Instruments, candles, indicators; files and replays for admins."),
    ("admin", "What only admins may do."),
    ("strategies", "The catalogue, and strategies running on an account."),
    ("performance", "How an account has done."),
    ("system", "What a client must know of this installation."),
]


def problems(*statuses: int, schema: str = "Problem") -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
        for status in statuses
    }


def install_openapi(app: FastAPI) -> None:
    """Made at first use: a gateway that nobody asks for it doesn't carry it in memory."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        description=_DESCRIPTION.strip(),
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, kind in (("Problem", ProblemBody), ("OrderProblem", OrderProblem)):
        schema = kind.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        for inner, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(inner, definition)
        schemas[name] = {**schema, "title": name}
    return document
