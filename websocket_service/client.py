"""One connection's outgoing side: straight to the socket while the client keeps up, else queued.

Nothing here waits: a slow client costs its own queue and nobody else anything.
"""

import asyncio
from collections.abc import Collection

import structlog
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from websocket_service import metrics
from websocket_service.outbox import Outbox, OverflowedError
from websocket_service.protocol import TOO_SLOW, Close, error_message
from websocket_service.topic_stream import Frame

log = structlog.get_logger()

#: Bytes that may wait in a connection's own buffer before frames are queued (and conflated).
WRITE_LIMIT_BYTES = 64 * 1024
#: Time for the closing handshake; a client that doesn't take part is cut off.
CLOSE_TIMEOUT_S = 3.0
#: Frames that may wait for a client that paces a run: the run waits for it, so they are few.
_PACING_QUEUE_FRAMES = 16_384


class Client:
    def __init__(
        self,
        connection: ServerConnection,
        conflate_after: int,
        queue_frames: int,
        stall_timeout_s: float,
    ) -> None:
        self.connection = connection
        self._transport = connection.transport
        self._queue_frames = queue_frames
        self._conflate_after = conflate_after
        self._stall_timeout_s = stall_timeout_s
        self._outbox = Outbox(conflate_after, queue_frames)
        self._draining: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        #: A client that paces gets every frame.
        self.pacing = False

    @property
    def flowing(self) -> bool:
        """A frame can be written at once, behind everything that was sent before."""
        return (
            self._draining is None
            and self._closing is None
            and self._transport.get_write_buffer_size() <= WRITE_LIMIT_BYTES
        )

    def send(self, message: bytes) -> None:
        """Never dropped."""
        if self.flowing:
            broadcast((self.connection,), message, text=True)
        else:
            self._queue(message, None, 0)

    def queue_frame(self, topic: str, frame: Frame, droppable: bool) -> None:
        """For a client that isn't flowing."""
        self._queue(frame.body, topic if droppable and not self.pacing else None, frame.seq)

    def _queue(self, message: bytes, conflated_topic: str | None, seq: int) -> None:
        if self._closing is not None:
            return
        try:
            if conflated_topic is None:
                self._outbox.keep(message)
            else:
                before = self._outbox.conflated
                self._outbox.latest(conflated_topic, seq, message)
                metrics.CONFLATED.inc(self._outbox.conflated - before)
        except OverflowedError:
            self.close(Close(TOO_SLOW, "too slow"))
            return
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="client-drain")

    def begin_pacing(self) -> None:
        self.pacing = True
        self._outbox.allow(_PACING_QUEUE_FRAMES)

    async def _drain(self) -> None:
        try:
            while self._outbox:
                for message in self._outbox.pop():
                    async with asyncio.timeout(self._stall_timeout_s):
                        await self.connection.send(message, text=True)
        except TimeoutError:
            self.close(Close(TOO_SLOW, "stalled"))
        except ConnectionClosed:
            pass  # the reading side sees it too, and cleans up
        finally:
            self._draining = None

    async def flush(self, timeout_s: float) -> None:
        """Wait until nothing is queued, or give up."""
        if self._draining is not None:
            await asyncio.wait([self._draining], timeout=timeout_s)

    def close(self, close: Close) -> None:
        """Start to close; repeating it changes nothing. Nothing is queued or sent after it."""
        if self._closing is not None:
            return
        if close.error is not None and self.flowing:
            broadcast((self.connection,), error_message(close.error), text=True)
        metrics.CLOSED.labels(str(close.code)).inc()
        self._closing = asyncio.create_task(self._close(close), name="client-close")

    async def _close(self, close: Close) -> None:
        if self._draining is not None and close.code == TOO_SLOW:
            self._draining.cancel()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.connection.close(close.code, close.reason)
        except TimeoutError:
            # A full socket keeps even the closing handshake waiting.
            self._transport.abort()

    async def finished(self) -> None:
        """Returns when the tasks of this client have ended."""
        tasks = [task for task in (self._draining, self._closing) if task is not None]
        if tasks:
            await asyncio.wait(tasks)


def deliver(topic: str, droppable: bool, clients: Collection[Client], frame: Frame) -> None:
    """One frame to many clients: the same bytes for all, written at once where that is possible."""
    flowing = []
    for client in clients:
        if client.flowing:
            flowing.append(client.connection)
        else:
            client.queue_frame(topic, frame, droppable)
    broadcast(flowing, frame.body, text=True)
    metrics.FRAMES_OUT.inc(len(clients))
