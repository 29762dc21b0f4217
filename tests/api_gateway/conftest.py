import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import Engine

from api_gateway.main import create_app
from api_gateway.settings import GatewaySettings
from shared.config import Settings
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble, serving

PASSWORD = "Correct-horse-7"
ADMIN = "root@example.com"


@pytest.fixture(scope="session")
def _behind_server() -> Iterator[HttpDouble]:
    double = HttpDouble()
    with serving(double.app()) as url:
        double.url = url
        yield double


@pytest.fixture
def behind(_behind_server: HttpDouble) -> HttpDouble:
    """The services behind HTTP, all at one address."""
    _behind_server.answers.clear()
    _behind_server.seen.clear()
    return _behind_server


@pytest.fixture
def gateway_settings(settings: Settings, behind: HttpDouble) -> GatewaySettings:
    return make_settings(settings, behind.url)


def make_settings(settings: Settings, url: str, **changes: Any) -> GatewaySettings:
    values: dict[str, Any] = {
        **settings.model_dump(),
        "market_data_url": url,
        "strategy_workers_url": url,
        "analytics_url": url,
        "order_processor_url": url,
        "password_hash_rounds": 4,
        "session_recheck_s": 0,
        "admin_email": ADMIN,
        "admin_password": SecretStr(PASSWORD),
        **changes,
    }
    return GatewaySettings(_env_file=None, **values)


@dataclass(frozen=True)
class Person:
    """Somebody signed in."""

    id: UUID
    http: httpx.AsyncClient
    refresh_token: str
    access_token: str


class Api:
    """The gateway, called over HTTP without a socket."""

    def __init__(self, app: FastAPI, stack: contextlib.AsyncExitStack) -> None:
        self._stack = stack
        self.app = app
        self.http: httpx.AsyncClient

    async def client(self, **headers: str) -> httpx.AsyncClient:
        # A real server never raises into its client; the handler's answer is what counts.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(
            transport=transport, base_url="http://gateway/api/v1", headers=headers
        )
        return await self._stack.enter_async_context(client)

    async def sign_in(self, login: str, password: str = PASSWORD) -> Person:
        answer = await self.http.post("/auth/login", json={"login": login, "password": password})
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        client = await self.client(Authorization=f"Bearer {tokens['access_token']}")
        me = (await client.get("/auth/me")).json()
        return Person(UUID(me["id"]), client, tokens["refresh_token"], tokens["access_token"])

    async def person(self, username: str, role: str = "trader") -> Person:
        """Registered and signed in."""
        answer = await self.http.post(
            "/auth/register",
            json={
                "email": f"{username}@example.com",
                "username": username,
                "password": PASSWORD,
                "role": role,
            },
        )
        assert answer.status_code == 201, answer.text
        return await self.sign_in(username)

    async def admin(self) -> Person:
        return await self.sign_in(ADMIN)


@contextlib.asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[Api]:
    app = create_app(settings)
    async with app.router.lifespan_context(app), contextlib.AsyncExitStack() as stack:
        api = Api(app, stack)
        api.http = await api.client()
        yield api


@pytest.fixture
async def api(gateway_settings: GatewaySettings) -> AsyncIterator[Api]:
    async with running(gateway_settings) as api:
        yield api


@pytest.fixture
async def processor(
    settings: Settings, redis: Redis, engine: Engine
) -> AsyncIterator[ProcessorDouble]:
    async with ProcessorDouble(redis, engine, settings.order_shards).running() as double:
        yield double


@pytest.fixture
async def trader(api: Api) -> Person:
    return await api.person("ada")


@pytest.fixture
async def account(trader: Person, processor: ProcessorDouble) -> dict[str, Any]:
    """The trader's, with its books."""
    answer = await trader.http.post("/accounts", json={"name": "Main"})
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


@pytest.fixture
def orders(account: dict[str, Any]) -> str:
    """Path of the account's orders."""
    return f"/accounts/{account['id']}/orders"
