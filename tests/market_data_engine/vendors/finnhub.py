"""A server that speaks Finnhub's stream of trades."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

TOKEN = "t0ken-of-the-test"


@dataclass
class FinnhubServer:
    """Set the fields to make it behave badly."""

    port: int = 0
    #: HTTP status instead of the handshake.
    handshake_status: int | None = None
    #: Error frame after the first subscription.
    error: str | None = None
    subscriptions: list[str] = field(default_factory=list)
    connections: list[ServerConnection] = field(default_factory=list)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        status = self.handshake_status
        if parse_qs(urlsplit(request.path).query).get("token") != [TOKEN]:
            status = 401
        if status is None:
            return None
        response = connection.respond(HTTPStatus(status), "Invalid API key")
        response.headers["Retry-After"] = "7"
        return response

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with contextlib.suppress(ConnectionClosed):
            async for frame in connection:
                asked = json.loads(frame)
                assert asked["type"] == "subscribe"
                self.subscriptions.append(asked["symbol"])
                self.subscribed.set()
                if self.error is not None:
                    await self.tell({"type": "error", "msg": self.error})

    async def tell(self, message: dict[str, Any]) -> None:
        await self.tell_raw(json.dumps(message))

    async def tell_raw(self, frame: str) -> None:
        await self.subscribed.wait()
        await self.connections[-1].send(frame)


def trades(*rows: tuple[str, float, int, float]) -> dict[str, Any]:
    """Symbol, price, milliseconds, volume."""
    data = [{"s": s, "p": p, "t": t, "v": v, "c": ["1", "12"]} for s, p, t, v in rows]
    return {"type": "trade", "data": data}


@contextlib.asynccontextmanager
async def finnhub_server() -> AsyncIterator[FinnhubServer]:
    finnhub = FinnhubServer()
    async with serve(
        finnhub.serve, "127.0.0.1", 0, process_request=finnhub.handshake, close_timeout=0.1
    ) as server:
        finnhub.port = next(iter(server.sockets)).getsockname()[1]
        yield finnhub
