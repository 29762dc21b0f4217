"""A real server on a free port, real clients, and a small HTTP double of the snapshots' owners."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine, insert
from websockets.asyncio.client import ClientConnection, connect

from cli.embedded.servers import free_port
from shared.auth import Principal, Role, Tokens
from shared.config import Settings
from shared.database.tables import AccountRow, SessionRow, UserRow
from shared.redis.topics import publish_frames
from shared.trading.paper_terms import FREE, paper_terms_document
from websocket_service.settings import WebsocketSettings
from websocket_service.wiring import running_server

TIMEOUT_S = 40.0


@dataclass
class Sources:
    """Answers `/internal/...` of the market data engine and of the order processor."""

    port: int
    #: Path → JSON answer; anything else is 404.
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    token: str | None = None
    broken: bool = False
    #: Cleared: answers wait.
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def candles(self, symbol: str, timeframe: str, seq: int) -> None:
        path = f"/internal/candles/{symbol}/snapshot?timeframe={timeframe}"
        self.answers[path] = {"seq": seq, "candles": [{"close": seq}], "forming": None}

    def account(self, account_id: UUID, kind: str, seq: int) -> None:
        self.answers[f"/internal/snapshots/{account_id}/paper/{kind}"] = {"seq": seq, "data": []}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split(" ")[1]
                for line in head.splitlines():
                    if line.lower().startswith("x-internal-token:"):
                        self.token = line.partition(":")[2].strip()
                self.asked.append(path)
                await self.open.wait()
                status = "500 Broken" if self.broken else "200 OK"
                answer = self.answers.get(path)
                if answer is None:
                    status, answer = "404 Not Found", {}
                body = json.dumps(answer).encode()
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b"
                    % (status.encode(), len(body), body)
                )
                await writer.drain()
        writer.close()


@pytest.fixture
async def sources() -> AsyncIterator[Sources]:
    sources = Sources(free_port())
    sources.open.set()
    async with await asyncio.start_server(sources.serve, "127.0.0.1", sources.port) as server:
        yield sources
        sources.open.set()
        server.close()


@pytest.fixture
def stream_settings(settings: Settings, sources: Sources) -> WebsocketSettings:
    url = f"http://127.0.0.1:{sources.port}"
    return WebsocketSettings(
        _env_file=None,
        **settings.model_dump(exclude={"market_data_url", "order_processor_url"}),
        market_data_url=url,
        order_processor_url=url,
        websocket_port=free_port(),
        websocket_auth_timeout_s=1,
        websocket_session_check_s=0.1,
        websocket_max_topics=20,
        websocket_conflate_after=5,
        websocket_queue_frames=50,
    )


class Person:
    """Somebody who has signed in, with an account of their own."""

    def __init__(self, engine: Engine, settings: Settings, role: Role) -> None:
        self.user_id, self.session_id, self.account_id = uuid4(), uuid4(), uuid4()
        self.role: Role = role
        self.tokens = Tokens.from_settings(settings)
        with engine.begin() as connection:
            connection.execute(
                insert(UserRow).values(
                    id=self.user_id,
                    email=f"{self.user_id}@example.com",
                    username=self.user_id.hex,
                    password_hash="-",
                    role=role,
                )
            )
            self._sign_in(connection, self.session_id)
            connection.execute(
                insert(AccountRow).values(
                    id=self.account_id,
                    owner_id=self.user_id,
                    name="main",
                    base_currency="USD",
                    paper_capital=Decimal(1000),
                    paper_terms=paper_terms_document(FREE),
                )
            )

    def _sign_in(self, connection: Any, session_id: UUID) -> None:
        connection.execute(
            insert(SessionRow).values(
                id=session_id, user_id=self.user_id, refresh_hash=session_id.hex
            )
        )

    def token(self, lifetime_s: float = 60) -> str:
        return self.tokens.issue(
            self.user_id,
            self.session_id,
            self.role,
            now=datetime.now(UTC),
            lifetime=timedelta(seconds=lifetime_s),
        )

    @property
    def principal(self) -> Principal:
        return self.tokens.verify(self.token())

    def topic(self, kind: str) -> str:
        return f"accounts.{self.account_id}.paper.{kind}"


NewPerson = Callable[..., Person]


@pytest.fixture
def person(engine: Engine, settings: Settings) -> NewPerson:
    def new(role: Role = "trader") -> Person:
        return Person(engine, settings, role)

    return new


class TestClient:
    """A real WebSocket client, with the messages it has received so far."""

    __test__ = False

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, op: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"op": op, **fields}))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT_S):
            message: dict[str, Any] = json.loads(await self.connection.recv())
            return message

    async def hear_until(self, **fields: Any) -> list[dict[str, Any]]:
        """Messages up to and with the first that has all of `fields`."""
        heard: list[dict[str, Any]] = []
        while True:
            message = await self.hear()
            heard.append(message)
            if all(message.get(name) == value for name, value in fields.items()):
                return heard

    async def sign_in(self, token: str) -> None:
        await self.say("auth", token=token)
        assert await self.hear() == {"op": "authenticated"}

    async def subscribe(self, *topics: str, **resume: Any) -> list[dict[str, Any]]:
        """Answers of a subscription, one a topic."""
        await self.say("subscribe", topics=list(topics), **resume)
        return [await self.hear() for _ in topics]

    async def close_code(self) -> int | None:
        """Code that the server closed with."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.connection.wait_closed()
        return self.connection.close_code


@dataclass
class Stream:
    settings: WebsocketSettings

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.settings.websocket_port}/v1/stream"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.websocket_port}"

    @contextlib.asynccontextmanager
    async def client(self, token: str | None = None, **options: Any) -> AsyncIterator[TestClient]:
        options.setdefault("max_size", None)
        async with connect(self.url, proxy=None, **options) as connection:
            client = TestClient(connection)
            if token is not None:
                await client.sign_in(token)
            yield client


@pytest.fixture
async def stream(stream_settings: WebsocketSettings) -> AsyncIterator[Stream]:
    async with running_server(stream_settings):
        yield Stream(stream_settings)


def encoded(topic: str, seq: int, padding: int = 0) -> bytes:
    return json.dumps({"topic": topic, "seq": seq, "data": {"n": seq, "x": "." * padding}}).encode()


async def publish(redis: Redis, topic: str, *numbers: int, padding: int = 0) -> None:
    await publish_frames(redis, [(topic, seq, encoded(topic, seq, padding)) for seq in numbers])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until it holds, within a bound."""
    async with asyncio.timeout(TIMEOUT_S):
        while not await condition():  # noqa: ASYNC110 - the condition is in another process
            await asyncio.sleep(0.01)


@pytest.fixture
def free_websocket_port() -> int:
    return free_port()
