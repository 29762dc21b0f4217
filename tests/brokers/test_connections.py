"""Connecting an account: verified first, kept encrypted, erased on disconnect."""

import base64
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine, text

from order_processor.brokers.connections import (
    BrokerConnection,
    Connections,
    Credentials,
    context_of,
)
from order_processor.brokers.make import broker_maker
from order_processor.brokers.routes import brokers_router
from order_processor.settings import OrderProcessorSettings
from shared.auth.vault import Vault, parse_keys
from shared.config import Settings
from shared.service.internal_client import INTERNAL_TOKEN_HEADER
from shared.service.problems import install_problem_handlers
from shared.trading.terms import Refused
from tests.brokers.simulated import SimulatedBroker, served
from tests.order_processor.support import add_account

KEY = f"a:{base64.b64encode(bytes(32)).decode()}"
ANOTHER = f"b:{base64.b64encode(bytes([7]) * 32).decode()}"
GOOD = Credentials("key", "secret")


@pytest.fixture
async def simulated() -> AsyncIterator[tuple[SimulatedBroker, str]]:
    broker = SimulatedBroker()
    async with served(broker) as url:
        yield broker, url


def settings_for(settings: Settings, url: str, keys: str = KEY) -> OrderProcessorSettings:
    return OrderProcessorSettings(
        _env_file=None,
        **settings.model_dump(),
        alpaca_url=url,
        broker_credentials_keys=SecretStr(keys),
        broker_answer_timeout_s=5,
        broker_verify_timeout_s=0.4,
    )


def connections_of(engine: Engine, settings: Settings, url: str, keys: str = KEY) -> Connections:
    own = settings_for(settings, url, keys)
    return Connections(
        engine, Vault(parse_keys(keys)), broker_maker(own, engine), own.broker_verify_timeout_s
    )


def sealed_of(engine: Engine, account: UUID) -> str | None:
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT credentials FROM broker_connections WHERE account_id = :a"),
            {"a": account},
        ).scalar_one_or_none()


async def test_an_account_is_connected_once_the_broker_knows_the_keys(
    engine: Engine, settings: Settings, simulated: tuple[SimulatedBroker, str]
) -> None:
    broker, url = simulated
    connections, account = connections_of(engine, settings, url), add_account(engine)
    codes = []
    for keys in (Credentials("key", "wrong"), GOOD):
        broker.status = "ACTIVE" if keys is not GOOD else "ACCOUNT_CLOSED"
        refused = await connections.connect(account, "alpaca", keys, "user:1")
        assert isinstance(refused, Refused)
        codes.append(refused.code)
    broker.status, broker.faults.slow_s = "ACTIVE", 2
    refused = await connections.connect(account, "alpaca", GOOD, "user:1")
    assert isinstance(refused, Refused)
    assert [*codes, refused.code] == [
        "broker_credentials",
        "broker_account_blocked",
        "broker_away",
    ]
    assert connections.see(account) is None
    broker.faults.slow_s = 0
    made = await connections.connect(account, "alpaca", GOOD, "user:1")
    assert isinstance(made, BrokerConnection)
    assert (made.account_number, made.connected) == ("SIM1", True)
    sealed = sealed_of(engine, account)
    assert sealed is not None
    assert "secret" not in sealed
    opened = Vault(parse_keys(KEY)).open(sealed, context_of(account, "alpaca"))
    assert b'"secret":"secret"' in opened


async def test_disconnecting_erases_the_credentials_and_keeps_whose_books_they_are(
    engine: Engine, settings: Settings, simulated: tuple[SimulatedBroker, str]
) -> None:
    _, url = simulated
    connections, account = connections_of(engine, settings, url), add_account(engine)
    assert not connections.disconnect(account)
    await connections.connect(account, "alpaca", GOOD, "user:1")
    assert connections.disconnect(account)
    assert sealed_of(engine, account) is None
    seen = connections.see(account)
    assert seen is not None
    assert not seen.connected
    assert not connections.disconnect(account)
    with engine.begin() as connection:
        connection.execute(text("UPDATE broker_connections SET account_number = 'OTHER'"))
    refused = await connections.connect(account, "alpaca", GOOD, "user:1")
    assert isinstance(refused, Refused)
    assert refused.code == "broker_account_differs"
    assert sealed_of(engine, account) is None


async def test_one_account_at_a_broker_has_one_account_here(
    engine: Engine, settings: Settings, simulated: tuple[SimulatedBroker, str]
) -> None:
    _, url = simulated
    connections = connections_of(engine, settings, url)
    await connections.connect(add_account(engine), "alpaca", GOOD, "user:1")
    for account, code in (
        (add_account(engine), "broker_account_taken"),
        (add_account(engine, status="closed"), "account_closed"),
    ):
        refused = await connections.connect(account, "alpaca", GOOD, "user:1")
        assert isinstance(refused, Refused)
        assert refused.code == code


async def test_a_new_key_takes_over_what_the_old_one_sealed(
    engine: Engine, settings: Settings, simulated: tuple[SimulatedBroker, str]
) -> None:
    _, url = simulated
    account = add_account(engine)
    await connections_of(engine, settings, url).connect(account, "alpaca", GOOD, "user:1")
    both = connections_of(engine, settings, url, f"{ANOTHER},{KEY}")
    assert (both.seal_anew(), both.seal_anew()) == (1, 0)
    sealed = sealed_of(engine, account)
    assert sealed is not None
    assert Vault(parse_keys(ANOTHER)).open(sealed, context_of(account, "alpaca"))
    # Without the key that it is under it stays as it is.
    assert connections_of(engine, settings, url, KEY).seal_anew() == 0
    assert sealed_of(engine, account) == sealed


async def test_over_http_a_connection_is_made_seen_and_ended(
    engine: Engine, settings: Settings, simulated: tuple[SimulatedBroker, str]
) -> None:
    _, url = simulated
    account = add_account(engine)
    for keys, status, code in ((KEY, 201, None), ("", 503, "broker_connections_off")):
        app = FastAPI()
        install_problem_handlers(app)
        own = settings_for(settings, url, keys)
        app.include_router(brokers_router(own, connections_of(engine, settings, url, keys)))
        token = {INTERNAL_TOKEN_HEADER: own.internal_token.get_secret_value()}
        body = {"broker": "alpaca", "key_id": "key", "secret": "secret", "connected_by": "user:1"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://orders/internal/brokers"
        ) as http:
            assert (await http.post(f"/{account}", json=body)).status_code == 401
            answer = await http.post(f"/{account}", json=body, headers=token)
            assert (answer.status_code, answer.json().get("code")) == (status, code)
            assert "secret" not in answer.text
            assert (await http.get(f"/{account}", headers=token)).status_code == 200
            wrong = await http.post(f"/{account}", json=body | {"broker": "x"}, headers=token)
            assert wrong.status_code == 422
            assert '"secret"' not in wrong.text
    assert connections_of(engine, settings, url).disconnect(account)


@pytest.mark.parametrize("keys", ["nonsense", "a:AAAA", f"{KEY},{KEY}"])
def test_keys_that_are_none_are_refused_at_start_and_not_told(
    settings: Settings, keys: str
) -> None:
    with pytest.raises(ValueError, match="BROKER_CREDENTIALS_KEYS") as told:
        settings_for(settings, "http://127.0.0.1:9", keys)
    assert keys not in str(told.value)
