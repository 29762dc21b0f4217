"""Accepts clients, watches over their time, and sees them off when the process ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from shared.service.health import Check
from websocket_service import metrics
from websocket_service.authority import Authority
from websocket_service.client import CLOSE_TIMEOUT_S, WRITE_LIMIT_BYTES, Client
from websocket_service.connection import ClientConnection
from websocket_service.errors import ServiceAwayError
from websocket_service.http import answer_http
from websocket_service.hub import Hub
from websocket_service.observers import Observers
from websocket_service.protocol import (
    DRAINING,
    MAX_MESSAGE_BYTES,
    NOT_AUTHENTICATED,
    ClientProtocol,
    Close,
    Refused,
)
from websocket_service.settings import WebsocketSettings

log = structlog.get_logger()

_SWEEP_EVERY_S = 0.5
_KEEPALIVE_S = 20.0
_SESSION_ENDED = Close(
    NOT_AUTHENTICATED,
    "session ended",
    Refused("session_ended", "The session has ended. Sign in again."),
)


class StreamServer:
    def __init__(
        self,
        settings: WebsocketSettings,
        hub: Hub,
        authority: Authority,
        observers: Observers,
        readiness: Mapping[str, Check],
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._authority = authority
        self._observers = observers
        self._readiness = readiness
        self._connections: set[ClientConnection] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Server]:
        """Serve while the block runs; then let clients have what is queued, and close."""
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("hub", self._hub.run()),
                ("observers", self._observers.run()),
                ("deadlines", self._watch_deadlines()),
                ("sessions", self._watch_sessions()),
            )
        ]
        try:
            async with self._listen() as server:
                try:
                    yield server
                finally:
                    server.close(close_connections=False)
                    await self._see_off()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _listen(self) -> Server:
        return serve(
            self._serve_client,
            self._settings.bind_host,
            self._settings.websocket_port,
            process_request=self._answer_http,
            # Frames are short and shared: compressing them anew for each client costs more
            # than the bytes do.
            compression=None,
            server_header=None,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=16,
            write_limit=WRITE_LIMIT_BYTES,
            ping_interval=_KEEPALIVE_S,
            ping_timeout=_KEEPALIVE_S,
            close_timeout=CLOSE_TIMEOUT_S,
            backlog=1024,
        )

    async def _answer_http(self, _: ServerConnection, request: Request) -> Response | None:
        full = len(self._connections) >= self._settings.websocket_max_connections
        return await answer_http(request, self._readiness, full=full)

    async def _serve_client(self, connection: ServerConnection) -> None:
        settings = self._settings
        client = Client(
            connection,
            settings.websocket_conflate_after,
            settings.websocket_queue_frames,
            settings.websocket_stall_timeout_s,
        )
        state = ClientProtocol(
            datetime.now(UTC),
            timedelta(seconds=settings.websocket_auth_timeout_s),
            settings.websocket_max_topics,
        )
        served = ClientConnection(
            connection, client, state, self._hub, self._authority, self._observers
        )
        self._connections.add(served)
        metrics.CONNECTIONS.set(len(self._connections))
        try:
            await served.serve()
        finally:
            self._connections.discard(served)
            metrics.CONNECTIONS.set(len(self._connections))

    async def _watch_deadlines(self) -> None:
        """One look at all clients, instead of a timer for each."""
        while True:
            now = datetime.now(UTC)
            for served in list(self._connections):
                served.end_if_overdue(now)
            await asyncio.sleep(_SWEEP_EVERY_S)

    async def _watch_sessions(self) -> None:
        """Ends the connections of sessions that ended by logout, inactivity or a disabled user.

        While the database is away nobody is disconnected: the tokens still run out.
        """
        while True:
            await asyncio.sleep(self._settings.websocket_session_check_s)
            signed_in = {served: served.principal for served in self._connections}
            present = {principal for principal in signed_in.values() if principal is not None}
            if not present:
                continue
            try:
                ended = await self._authority.ended(present)
            except ServiceAwayError:
                continue
            for served, principal in signed_in.items():
                # One that has authenticated anew since then is looked at next time.
                if principal in ended and served.principal == principal:
                    served.client.close(_SESSION_ENDED)

    async def _see_off(self) -> None:
        connections = list(self._connections)
        if not connections:
            return
        log.info("draining", connections=len(connections))
        flush_s = max(0.1, self._settings.drain_timeout_s - CLOSE_TIMEOUT_S)
        await asyncio.gather(*(served.client.flush(flush_s) for served in connections))
        for served in connections:
            served.client.close(Close(DRAINING, "draining"))
        await asyncio.gather(*(served.client.finished() for served in connections))
