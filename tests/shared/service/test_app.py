"""The edges that all services share."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from shared.service.app import service_app
from shared.service.problems import MEDIA_TYPE, Problem


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = ""


@contextlib.asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def _app() -> FastAPI:
    app = service_app(
        "test", _nothing, max_body_bytes=100, unbounded_paths=frozenset({"/large", "/files/"})
    )

    @app.post("/small")
    async def small(body: Body) -> int:
        return len(body.text)

    @app.post("/large")
    @app.post("/files/{name}")
    async def large(body: Body) -> int:
        return len(body.text)

    @app.get("/refused")
    async def refused() -> None:
        raise Problem(409, "taken", "Taken.", members={"limit": "3"})

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def _in_pieces() -> AsyncIterator[bytes]:
    yield b'{"text":"'
    for _ in range(50):
        yield b"x" * 10
    yield b'"}'


_JSON = {"content-type": "application/json"}


async def test_a_body_that_declares_too_much_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/small", json={"text": "x" * 101})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_grows_too_long_is_refused_though_it_declared_nothing(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/small", content=_in_pieces(), headers=_JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert len(answer.headers.get_list("x-request-id")) == 1


@pytest.mark.parametrize("path", ["/large", "/files/a"])
async def test_unbounded_paths_take_any_length(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, content=_in_pieces(), headers=_JSON)
    assert (answer.status_code, answer.json()) == (200, 500)


async def test_an_absurd_declared_length_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/small", content=b"", headers={**_JSON, "content-length": "9" * 5000}
    )
    assert answer.status_code == 413


async def test_lone_surrogates_in_a_body_are_an_invalid_request(client: httpx.AsyncClient) -> None:
    body = b'{"\\ud800": 1, "text": "\\udfff"}'
    answer = await client.post("/small", content=body, headers=_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_problem_carries_its_members_and_the_request_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/refused", headers={"X-Request-ID": "request-0001"})
    body = answer.json()
    assert (answer.status_code, body["limit"], body["request_id"]) == (409, "3", "request-0001")
