"""The engine on a real port, and dummies that take part in its runs."""

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from redis.asyncio import Redis

from cli.embedded.servers import free_port
from market_data_engine.main import create_app
from market_data_engine.settings import MarketDataSettings
from market_data_engine.wiring import MarketData
from shared.config import Settings
from shared.models.market import TapeEntry, TimeMark
from shared.redis import tape
from shared.service.internal import INTERNAL_TOKEN_HEADER
from shared.utils.tls import trusted_authorities


async def until(condition: Callable[[], Awaitable[Any]], timeout_s: float = 60.0) -> Any:
    """The first true answer; fails when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := await condition():
            return answer
        assert time.monotonic() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.01)


@dataclass
class Engine:
    """One engine process' worth: its HTTP interface, and what it is made of."""

    http: httpx.AsyncClient
    parts: MarketData
    redis: Redis

    async def start(self, **request: Any) -> str:
        answer = await self.http.post("/internal/replays", json=request)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def replay(self, replay_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/internal/replays/{replay_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ended(self, replay_id: str, timeout_s: float = 60.0) -> dict[str, Any]:
        async def over() -> dict[str, Any] | None:
            replay = await self.replay(replay_id)
            return replay if replay["status"] != "running" else None

        found: dict[str, Any] = await until(over, timeout_s)
        return found

    async def upload(self, name: str, content: bytes) -> str:
        answer = await self.http.put(f"/internal/market-files/{name}", content=content)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    async def leading(self) -> None:
        async def held() -> bool:
            return self.parts.leadership.held

        await until(held)


@contextlib.asynccontextmanager
async def running_engine(settings: MarketDataSettings, redis: Redis) -> AsyncIterator[Engine]:
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=settings.market_data_port, log_config=None)
    )
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        assert not serving.done(), "the server ended before it had started"
        return server.started

    await until(started)
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{settings.market_data_port}",
        headers={INTERNAL_TOKEN_HEADER: settings.internal_token.get_secret_value()},
        verify=trusted_authorities(),
        trust_env=False,
        timeout=60,
    )
    try:
        async with client:
            yield Engine(client, app.state.market_data, redis)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def engine_settings(
    settings: Settings, tmp_path: Path, calendar_folder: Path
) -> MarketDataSettings:
    folder = tmp_path / "market"
    folder.mkdir()
    return MarketDataSettings(
        _env_file=None,
        **{
            **settings.model_dump(),
            "order_shards": 2,
            "market_data_port": free_port(),
            "market_data_folder": folder,
            "calendar_folder": calendar_folder,
        },
    )


@pytest.fixture
async def running(engine_settings: MarketDataSettings, redis: Redis) -> AsyncIterator[Engine]:
    """The engine, with the lease."""
    async with running_engine(engine_settings, redis) as engine:
        await engine.leading()
        yield engine


@dataclass
class Participant:
    """Reads the tape like an order processor or a worker, and acknowledges each of its marks."""

    redis: Redis
    names: list[str]
    phase: tape.Phase
    entries: list[tuple[str, TapeEntry]] = field(default_factory=list)
    #: Cleared: it has fallen asleep.
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    cursor: str = "0-0"

    async def take_part(self) -> None:
        while True:
            for raw in await tape.read(self.redis, self.cursor, block_ms=100):
                await self.awake.wait()
                entry = raw.decode()
                self.cursor = raw.id
                self.entries.append((raw.id, entry))
                if isinstance(entry, TimeMark) and entry.phase == self.phase:
                    await tape.acknowledge(
                        self.redis, self.names, entry, self.phase, committed=raw.id
                    )

    def of(self, kind: type) -> list[Any]:
        return [entry for _, entry in self.entries if isinstance(entry, kind)]


@contextlib.asynccontextmanager
async def taking_part(
    redis: Redis, names: Iterable[str], phase: tape.Phase
) -> AsyncIterator[Participant]:
    participant = Participant(redis, list(names), phase)
    participant.awake.set()
    for name in participant.names:
        await tape.join(redis, name, phase)
    task = asyncio.create_task(participant.take_part())
    try:
        yield participant
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def orders(redis: Redis) -> AsyncIterator[Participant]:
    """Both order shards, acknowledging as soon as they can."""
    async with taking_part(redis, ["orders:0", "orders:1"], "market") as participant:
        yield participant


def csv(*lines: str, header: str = "timestamp,symbol,price,size") -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.fixture
def free_market_port() -> int:
    return free_port()
