"""A line to a server that can be cut at any byte, as a proxy, a failover or a bad cable does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Line:
    """Passes bytes on between 127.0.0.1:`port` and a server, until it is cut."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._under_way: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._deaf = False
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Line"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def cut(self) -> None:
        """Every connection is reset; new ones may be made at once."""
        for writer in self._writers:
            writer.transport.abort()

    async def cut_before_an_answer(self) -> None:
        """What is sent still reaches the server, its answers no longer come back; then cut: who
        asked can't know what became of it."""
        self._deaf = True
        await asyncio.sleep(0.05)
        self.cut()
        self._deaf = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        server_writer: asyncio.StreamWriter | None = None
        try:
            server_reader, server_writer = await asyncio.open_connection(
                "127.0.0.1", self._server_port
            )
            self._writers |= {writer, server_writer}
            await asyncio.gather(
                self._pass_on(reader, server_writer, answers=False),
                self._pass_on(server_reader, writer, answers=True),
            )
        except OSError:
            pass  # the server is away, or the line was cut
        finally:
            for each in filter(None, (writer, server_writer)):
                self._writers.discard(each)
                each.transport.abort()
            self._under_way.discard(task)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while data := await reader.read(65536):
            if answers and self._deaf:
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
