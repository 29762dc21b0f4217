"""A server that speaks Alpaca's market-data stream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

KEY, SECRET = "PKTEST", "s3cret-of-the-test"


@dataclass
class AlpacaServer:
    """Set the fields to make it behave badly."""

    port: int = 0
    #: HTTP status instead of the handshake.
    handshake_status: int | None = None
    #: Error code instead of the subscription.
    subscribe_error: tuple[int, str] | None = None
    #: Says nothing after the handshake.
    mute: bool = False
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    connections: list[ServerConnection] = field(default_factory=list)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2/iex"

    def handshake(self, connection: ServerConnection, _: Request) -> Response | None:
        if self.handshake_status is None:
            return None
        response = connection.respond(HTTPStatus(self.handshake_status), "")
        response.headers["Retry-After"] = "7"
        return response

    async def serve(self, connection: ServerConnection) -> None:
        if self.mute:
            await connection.wait_closed()
            return
        with contextlib.suppress(ConnectionClosed):
            await self._speak(connection)

    async def _speak(self, connection: ServerConnection) -> None:
        async def say(**message: Any) -> None:
            await connection.send(json.dumps([message]))

        await say(T="success", msg="connected")
        signed_in = False
        async for frame in connection:
            asked = json.loads(frame)
            match asked["action"]:
                case "auth":
                    if (asked["key"], asked["secret"]) != (KEY, SECRET):
                        await say(T="error", code=402, msg="auth failed")
                        return
                    signed_in = True
                    await say(T="success", msg="authenticated")
                case "subscribe" if not signed_in:
                    await say(T="error", code=401, msg="not authenticated")
                case "subscribe" if self.subscribe_error is not None:
                    code, text = self.subscribe_error
                    await say(T="error", code=code, msg=text)
                case "subscribe":
                    self.subscriptions.append(asked)
                    self.connections.append(connection)
                    await say(
                        T="subscription",
                        trades=asked["trades"],
                        quotes=asked["quotes"],
                        corrections=asked["trades"],
                        cancelErrors=asked["trades"],
                    )
                    self.subscribed.set()

    async def tell(self, *messages: dict[str, Any]) -> None:
        """To the newest subscriber, in one frame."""
        await self.connections[-1].send(json.dumps(messages))

    async def tell_raw(self, frame: str) -> None:
        await self.connections[-1].send(frame)

    async def drop(self) -> None:
        """As a server does that dies."""
        self.subscribed.clear()
        self.connections[-1].transport.abort()


def trade(symbol: str, price: float, at: str, number: int = 1, size: float = 100) -> dict[str, Any]:
    return {
        "T": "t", "S": symbol, "i": number, "x": "V", "p": price, "s": size, "t": at,
        "c": ["@"], "z": "C",
    }  # fmt: skip


def quote(symbol: str, bid: float, ask: float, at: str) -> dict[str, Any]:
    return {
        "T": "q", "S": symbol, "bx": "V", "bp": bid, "bs": 3, "ax": "V", "ap": ask, "as": 2,
        "t": at, "c": ["R"], "z": "C",
    }  # fmt: skip


@contextlib.asynccontextmanager
async def alpaca_server() -> AsyncIterator[AlpacaServer]:
    alpaca = AlpacaServer()
    server: Server
    async with serve(
        alpaca.serve, "127.0.0.1", 0, process_request=alpaca.handshake, close_timeout=0.1
    ) as server:
        alpaca.port = next(iter(server.sockets)).getsockname()[1]
        yield alpaca
