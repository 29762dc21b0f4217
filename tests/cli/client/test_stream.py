"""The counting client against a real WebSocket server that speaks as the platform does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from cli.client.errors import StreamError, UnreachableError
from cli.client.stream import counting_stream
from cli.embedded.servers import free_port
from shared.models.frames import encode_frame
from shared.models.market import TimeMark

Script = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    connection: ServerConnection

    async def take(self, op: str) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.connection.recv())
        assert message["op"] == op
        return message

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message, separators=(",", ":")))

    async def mark(self, number: int, at_ns: int, *, paced: bool = True) -> None:
        mark = TimeMark(number=number, at_ns=at_ns, phase="strategy", paced=paced, run_id="r")
        await self.connection.send(encode_frame("time", number, mark).decode())


@contextlib.asynccontextmanager
async def _server(script: Script) -> AsyncIterator[str]:
    async def handle(connection: ServerConnection) -> None:
        await script(Peer(connection))
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/stream"


async def _token() -> str:
    return "fresh"


async def test_frames_are_counted_and_paced_marks_acknowledged() -> None:
    acknowledged: list[int] = []

    async def script(peer: Peer) -> None:
        assert (await peer.take("auth"))["token"] == "token"
        await peer.say(op="authenticated")
        topics = (await peer.take("subscribe"))["topics"]
        for topic in topics:
            await peer.say(op="snapshot", topic=topic, seq=0, data=None)
        await peer.take("pace")
        await peer.say(op="pacing")
        await peer.say(topic="candles.SPY.1m", seq=1, data={})
        await peer.mark(1, 1000)
        acknowledged.append((await peer.take("ack"))["number"])
        await peer.mark(2, 2000, paced=False)
        await peer.mark(3, 3000)
        acknowledged.append((await peer.take("ack"))["number"])

    async with _server(script) as url, counting_stream(url, "token") as stream:
        await stream.subscribe(["candles.SPY.1m", "time"])
        await stream.pace()
        following = asyncio.create_task(stream.follow(_token))
        async with asyncio.timeout(30):
            await stream.wait_for_mark("r", 3000)
        assert stream.messages == 4
        following.cancel()
    assert acknowledged == [1, 3]


async def test_marks_of_another_run_are_not_waited_for() -> None:
    async def script(peer: Peer) -> None:
        await peer.take("auth")
        await peer.say(op="authenticated")
        await peer.mark(9, 9000)

    async with _server(script) as url, counting_stream(url, "token") as stream:
        following = asyncio.create_task(stream.follow(_token))
        async with asyncio.timeout(30):
            await stream.wait_for_mark("r", 9000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await stream.wait_for_mark("another", 1)
        following.cancel()


async def test_a_refusal_is_the_servers_sentence() -> None:
    async def script(peer: Peer) -> None:
        await peer.take("auth")
        await peer.say(op="authenticated")
        await peer.take("pace")
        await peer.say(op="error", code="admins_only", message="Only admins can pace.")

    async with _server(script) as url:
        with pytest.raises(StreamError, match=r"Only admins can pace\."):
            async with counting_stream(url, "token") as stream:
                await stream.pace()


async def test_a_connection_that_ends_ends_the_waiting_too() -> None:
    async def script(peer: Peer) -> None:
        await peer.take("auth")
        await peer.say(op="authenticated")
        await peer.connection.close(4401, "token expired")

    async with _server(script) as url, counting_stream(url, "token") as stream:
        following = asyncio.create_task(stream.follow(_token))
        with pytest.raises(StreamError, match="token expired"):
            await asyncio.wait_for(stream.wait_for_mark("r", 1), timeout=5)
        with pytest.raises(StreamError, match="token expired"):
            await following


async def test_nobody_at_the_address_is_one_clear_sentence() -> None:
    with pytest.raises(UnreachableError, match="no WebSocket at"):
        async with counting_stream(f"ws://127.0.0.1:{free_port()}/v1/stream", "token"):
            pass
