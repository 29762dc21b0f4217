"""A client that costs little: prepared bytes out, who is answered and with what in."""

import asyncio
from collections.abc import Sequence

import msgspec
from redis.asyncio.client import PubSub

from bench.servers import Servers
from shared.models.base import encode
from shared.models.orders import SubmitOrder
from shared.redis.keys import order_commands, shard_of


class _Order(msgspec.Struct):
    status: str


class _Reply(msgspec.Struct):
    request_id: str
    order: _Order | None = None


_decoder = msgspec.json.Decoder(list[_Reply])


def prepared(orders: Sequence[SubmitOrder], shards: int) -> bytes:
    """As Valkey wants them: an `XADD` each, in one text."""
    parts = []
    for order in orders:
        stream, body = order_commands(shard_of(order.account_id, shards)).encode(), encode(order)
        parts.append(
            b"*5\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$1\r\nb\r\n$%d\r\n%b\r\n"
            % (len(stream), stream, len(body), body)
        )
    return b"".join(parts)


class Waiting:
    """Who waits for how many answers. The request ids of a pipeline begin with its number."""

    def __init__(self) -> None:
        self._missing: dict[str, int] = {}
        self._done: dict[str, asyncio.Event] = {}

    async def all_of(self, pipeline: str, answers: int, timeout_s: float) -> None:
        self._missing[pipeline], self._done[pipeline] = answers, asyncio.Event()
        async with asyncio.timeout(timeout_s):
            await self._done[pipeline].wait()
        del self._missing[pipeline], self._done[pipeline]

    async def listen(self, pubsub: PubSub) -> None:
        async for message in pubsub.listen():
            for reply in _decoder.decode(message["data"]):
                if reply.order is None or reply.order.status != "accepted":
                    raise RuntimeError(f"not accepted: {message['data']!r}")
                pipeline = reply.request_id.partition(" ")[0]
                self._missing[pipeline] -= 1
                if not self._missing[pipeline]:
                    self._done[pipeline].set()


class Line:
    """A connection to Valkey."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, running: Servers) -> "Line":
        reader, writer = await asyncio.open_connection("127.0.0.1", running.valkey.port)
        writer.write(f"AUTH {running.valkey.password}\r\n".encode())
        if await reader.readline() != b"+OK\r\n":
            raise RuntimeError("Valkey lets nobody in")
        return cls(reader, writer)

    async def send(self, commands: bytes, count: int) -> None:
        """Each is answered by an entry's id, in two lines."""
        self._writer.write(commands)
        lines = 0
        while lines < 2 * count:
            answer = await self._reader.read(65_536)
            if not answer or b"-ERR" in answer:
                raise RuntimeError(f"Valkey refused: {answer!r}")
            lines += answer.count(b"\n")

    def close(self) -> None:
        self._writer.close()
