"""Doubles of what is behind the gateway, on real Valkey, Postgres and HTTP."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cli.embedded.servers import free_port
from shared.models.base import encode
from shared.models.cash import ConvertCash, MoveCash
from shared.models.conversions import ConvertPosition
from shared.models.orders import (
    CancelOrder,
    CancelOrders,
    ClosePositions,
    Command,
    OpenBooks,
    ProtectPosition,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.models.risk import ChangeMargin, FollowLimits, LimitsFollowed
from shared.redis.keys import order_commands
from shared.redis.streams import read_after
from shared.utils.tasks import end_tasks
from tests.api_gateway.double_conversion import convert_cash
from tests.api_gateway.double_position_conversion import convert_position
from tests.api_gateway.processor_answers import (
    cancel,
    cancel_all,
    change_margin,
    close,
    move_cash,
    open_books,
    protect,
    replace,
    risk,
    submit,
)

_decoder = msgspec.json.Decoder(Command)

# --- the order processor ---------------------------------------------------------------------


class ProcessorDouble:
    """Keeps the processor's contract with a few rules that a test can see through.

    Symbol `NOPE` is unknown (refused), `DEAR` is beyond anyone's cash (rejected); everything
    else is accepted and works until it is cancelled.
    """

    def __init__(self, redis: Redis, engine: Engine, shards: int) -> None:
        self._redis = redis
        self._engine = engine
        self._streams = [order_commands(shard) for shard in range(shards)]
        #: Commands as they came.
        self.commands: list[Command] = []
        #: Commands of this account get no answer, and are not carried out.
        self.deaf_to: UUID | None = None
        #: While false, commands are left on their streams.
        self.answers = asyncio.Event()
        self.answers.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["ProcessorDouble"]:
        tasks = [asyncio.create_task(self._consume(stream)) for stream in self._streams]
        try:
            yield self
        finally:
            await end_tasks(tasks)

    async def _consume(self, stream: str) -> None:
        cursor = "0-0"
        while True:
            await self.answers.wait()
            for entry in await read_after(self._redis, stream, cursor, count=100, block_ms=50):
                await self.answers.wait()
                cursor = entry.id
                command = _decoder.decode(entry.fields[b"b"])
                self.commands.append(command)
                if command.account_id == self.deaf_to:
                    continue
                reply = await asyncio.to_thread(self._apply, command)
                await self._redis.publish(command.reply_to, encode([reply]))

    def _apply(self, command: Command) -> Reply:
        if isinstance(command, FollowLimits):
            return LimitsFollowed(request_id=command.request_id, version=command.version)
        with Session(self._engine) as db, db.begin():
            if command.mode == "live":
                return Refusal(
                    request_id=command.request_id, code="mode_not_available", message="Paper only."
                )
            match command:
                case OpenBooks():
                    return open_books(db, command)
                case SubmitOrder():
                    return submit(db, command)
                case CancelOrder():
                    return cancel(db, command)
                case ReplaceOrder():
                    return replace(db, command)
                case CancelOrders():
                    return cancel_all(db, command)
                case ClosePositions():
                    return close(db, command)
                case ProtectPosition():
                    return protect(db, command)
                case MoveCash():
                    return move_cash(db, command)
                case ConvertCash():
                    return convert_cash(db, command)
                case ConvertPosition():
                    return convert_position(db, command)
                case ChangeMargin():
                    return change_margin(db, command)
                case _:
                    return risk(db, command)


# --- services behind HTTP --------------------------------------------------------------------


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpDouble:
    """Answers what it was told to, and remembers what it was asked."""

    url: str = ""
    #: (method, path) → (status, body, content type).
    answers: dict[tuple[str, str], tuple[int, bytes, str]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, method: str, path: str, body: object, status: int = 200) -> None:
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.answers[(method, path)] = (status, msgspec.json.encode(body), kind)

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        async def anything(path: str, request: Request) -> Response:
            body = await request.body()
            self.seen.append(
                Seen(
                    request.method,
                    f"/{path}",
                    dict(request.query_params),
                    dict(request.headers),
                    body,
                )
            )
            missing = (404, _problem(404, "not_found"), "application/problem+json")
            status, content, kind = self.answers.get((request.method, f"/{path}"), missing)
            return Response(content, status_code=status, media_type=kind)

        return app


def problem(status: int, code: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": code, "status": status, "code": code, "detail": code}


def _problem(status: int, code: str) -> bytes:
    return msgspec.json.encode(problem(status, code))


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """A real server in a thread of its own; its URL."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 40
    while not server.started:
        assert thread.is_alive(), "the server ended while it started"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not end in time"
