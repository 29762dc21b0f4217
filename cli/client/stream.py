"""A WebSocket client that counts what it gets and keeps a paced run in step with itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from cli.client.errors import StreamError, UnreachableError
from shared.models.market import TimeMark
from shared.models.topics import TIME_TOPIC

_ANSWER_TIMEOUT_S = 15.0
#: How often the connection's token is replaced by a fresh one.
_REAUTHENTICATE_EVERY_S = 240.0
#: Snapshots hold up to 500 candles.
_MAX_MESSAGE_BYTES = 16 << 20
_TIME_FRAME = f'{{"topic":"{TIME_TOPIC}",'.encode()
_OPERATION = b'{"op":'


class _TimeFrame(msgspec.Struct):
    data: TimeMark


class _Answer(msgspec.Struct):
    op: str
    topic: str | None = None
    code: str | None = None
    message: str | None = None


_time_decoder = msgspec.json.Decoder(_TimeFrame)
_answer_decoder = msgspec.json.Decoder(_Answer)


class CountingStream:
    """Made by `counting_stream`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        #: Frames of topics; answers to our own requests don't count.
        self.messages = 0
        self._mark: TimeMark | None = None
        self._moved = asyncio.Event()
        self._ended: BaseException | None = None

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Returns when all of them flow."""
        await self._send({"op": "subscribe", "topics": list(topics)})
        missing = set(topics)
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            while missing:
                answer = await self._answer()
                if answer.op in ("snapshot", "resumed", "subscribed") and answer.topic:
                    missing.discard(answer.topic)

    async def pace(self) -> None:
        """From now on a paced run waits for this client (it may lag by some marks)."""
        await self._send({"op": "pace"})
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            while (await self._answer()).op != "pacing":
                pass

    async def authenticate(self, token: str) -> None:
        await self._send({"op": "auth", "token": token})
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            while (await self._answer()).op != "authenticated":
                pass

    async def follow(self, fresh_token: Callable[[], Awaitable[str]]) -> None:
        """Count, and acknowledge every time mark, until the connection ends (StreamError)."""
        loop = asyncio.get_running_loop()
        reauthenticate_at = loop.time() + _REAUTHENTICATE_EVERY_S
        try:
            while True:
                await self._take(await self._receive())
                if loop.time() > reauthenticate_at:
                    await self._send({"op": "auth", "token": await fresh_token()})
                    reauthenticate_at = loop.time() + _REAUTHENTICATE_EVERY_S
        except BaseException as error:
            self._ended = error
            self._moved.set()
            raise

    async def wait_for_mark(self, run_id: str, at_ns: int) -> None:
        """Until the run's market time has come to `at_ns`."""
        while (mark := self._mark) is None or mark.run_id != run_id or mark.at_ns < at_ns:
            if self._ended is not None:
                raise self._ended
            self._moved.clear()
            await self._moved.wait()

    async def _take(self, message: bytes) -> None:
        if message.startswith(_OPERATION):
            _raise_refusal(_answer_decoder.decode(message))
            return
        self.messages += 1
        if message.startswith(_TIME_FRAME):
            mark = _time_decoder.decode(message).data
            if mark.paced:
                await self._send({"op": "ack", "number": mark.number})
            self._mark = mark
            self._moved.set()

    async def _answer(self) -> _Answer:
        """The next answer to a request; frames that come in between count as usual."""
        while True:
            message = await self._receive()
            if message.startswith(_OPERATION):
                answer = _answer_decoder.decode(message)
                _raise_refusal(answer)
                return answer
            await self._take(message)

    async def _receive(self) -> bytes:
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise StreamError(f"the WebSocket ended: {error}") from error

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._connection.send(msgspec.json.encode(message).decode())
        except ConnectionClosed as error:
            raise StreamError(f"the WebSocket ended: {error}") from error


def _raise_refusal(answer: _Answer) -> None:
    if answer.op == "error":
        about = f" ({answer.topic})" if answer.topic else ""
        raise StreamError(f"the WebSocket refused{about}: {answer.message or answer.code}")


@contextlib.asynccontextmanager
async def counting_stream(url: str, token: str) -> AsyncIterator[CountingStream]:
    """Connected and authenticated."""
    try:
        connection = await connect(
            url, max_size=_MAX_MESSAGE_BYTES, compression=None, proxy=None, open_timeout=10
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise UnreachableError(f"no WebSocket at {url}: {error}") from error
    try:
        stream = CountingStream(connection)
        await stream.authenticate(token)
        yield stream
    except TimeoutError as error:
        raise StreamError(f"no answer from the WebSocket at {url}") from error
    finally:
        await connection.close()
