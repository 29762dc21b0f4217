"""The client against a small HTTP server that answers as a gateway does."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.client.errors import ApiError, UnreachableError
from cli.client.gateway import Gateway
from cli.embedded.servers import free_port

Answer = tuple[int, bytes]
Route = Callable[["Request"], Answer]


@dataclass
class Request:
    path: str
    query: str
    authorization: str
    body: bytes


@dataclass
class SmallGateway:
    url: str
    routes: dict[str, Route] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)


def _tokens(number: int, expires_in_s: int) -> Answer:
    body = {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "expires_in_s": expires_in_s,
    }
    return 200, json.dumps(body).encode()


def _chunked(handler: BaseHTTPRequestHandler) -> bytes:
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


@pytest.fixture
def gateway() -> Iterator[SmallGateway]:
    small = SmallGateway("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = _chunked(self)
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.partition("?")
            request = Request(path, query, self.headers.get("Authorization", ""), body)
            small.seen.append(request)
            status, answer = small.routes[f"{self.command} {path}"](request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """The test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        small.url = f"http://127.0.0.1:{server.server_address[1]}"
        small.routes["POST /api/v1/auth/login"] = lambda _: _tokens(1, 900)
        yield small
        server.shutdown()
        thread.join()


async def test_a_problem_becomes_its_code_and_sentence(gateway: SmallGateway) -> None:
    body = json.dumps({"code": "unknown_strategy", "detail": "There is no strategy x."}).encode()
    gateway.routes["GET /api/v1/strategies/x"] = lambda _: (404, body)
    async with Gateway(gateway.url) as client:
        await client.login("ada", "secret")
        with pytest.raises(ApiError, match="There is no strategy x") as caught:
            await client.call("GET", "/strategies/x")
    assert (caught.value.status, caught.value.code) == (404, "unknown_strategy")


async def test_an_error_that_is_no_problem_body_still_names_the_address(
    gateway: SmallGateway,
) -> None:
    gateway.routes["GET /api/v1/config"] = lambda _: (502, b"<html>bad gateway</html>")
    async with Gateway(gateway.url) as client:
        with pytest.raises(ApiError, match="/api/v1/config answered with status 502"):
            await client.config()


async def test_something_else_on_the_port_is_not_taken_for_a_gateway(
    gateway: SmallGateway,
) -> None:
    gateway.routes["GET /api/v1/config"] = lambda _: (200, b"hello")
    async with Gateway(gateway.url) as client:
        with pytest.raises(UnreachableError, match="is not the gateway"):
            await client.config()


async def test_nobody_at_the_address_is_one_clear_sentence() -> None:
    async with Gateway(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(UnreachableError, match="no gateway answers at http://127"):
            await client.config()


async def test_pages_are_joined_in_order(gateway: SmallGateway) -> None:
    def page(request: Request) -> Answer:
        last = "cursor=b" in request.query
        body = {"items": [3] if last else [1, 2], "next_cursor": None if last else "b"}
        return 200, json.dumps(body).encode()

    gateway.routes["GET /api/v1/things"] = page
    async with Gateway(gateway.url) as client:
        await client.login("ada", "secret")
        assert [item async for item in client.items("/things", {"mode": "paper"})] == [1, 2, 3]
    assert all("mode=paper" in request.query for request in gateway.seen[1:])


async def test_a_token_near_its_end_is_replaced_before_it_is_used(gateway: SmallGateway) -> None:
    gateway.routes["POST /api/v1/auth/login"] = lambda _: _tokens(1, 30)
    gateway.routes["POST /api/v1/auth/refresh"] = lambda _: _tokens(2, 900)
    gateway.routes["GET /api/v1/auth/me"] = lambda _: (200, b"{}")
    async with Gateway(gateway.url) as client:
        await client.login("ada", "secret")
        await client.call("GET", "/auth/me")
        await client.call("GET", "/auth/me")
    assert json.loads(gateway.seen[1].body) == {"refresh_token": "refresh-1"}
    assert [request.authorization for request in gateway.seen[2:]] == ["Bearer access-2"] * 2


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("SPY-2026.csv.gz", "SPY-2026.csv.gz"),
        ("my trades.csv.gz", "my_trades.csv.gz"),
        ("-Zoë.csv", "Zo_.csv"),
        ("日", "trades"),
    ],
)
async def test_a_file_arrives_whole_under_a_name_that_the_gateway_takes(
    gateway: SmallGateway, tmp_path: Path, name: str, taken: str
) -> None:
    content = bytes(range(256)) * 1000
    path = tmp_path / name
    path.write_bytes(content)
    gateway.routes[f"PUT /api/v1/market-files/{taken}"] = lambda _: (201, b'{"id":"1"}')
    async with Gateway(gateway.url) as client:
        await client.login("ada", "secret")
        assert await client.upload(path) == {"id": "1"}
    assert gateway.seen[-1].body == content
