"""Orders with hostile bodies, and while Redis is away."""

import asyncio
import contextlib
import json
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import Engine

from cli.embedded.servers import Valkey, free_port
from shared.config import Settings
from shared.redis import make_redis
from tests.api_gateway.conftest import Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble
from tests.api_gateway.tickets import MARKET, code


async def test_a_hostile_body_is_the_callers_fault(trader: Person, orders: str) -> None:
    for body in [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"qty": NaN}',
        b'{"qty": Infinity}',
        b'{"qty": -Infinity}',
        b'{"qty": ' + b"9" * 5000 + b"}",
        b'{"symbol": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"symbol": "\xff\xfe"}',
        b'{"a":' * 50_000,
        b"[" * 100_000,
        json.dumps({**MARKET, "client_order_id": "\x00"}).encode(),
        json.dumps([MARKET]).encode(),
    ]:
        answer = await trader.http.post(
            orders, content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_another_content_type_is_refused(trader: Person, orders: str) -> None:
    for kind in [
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "application/json; x=\xff",
        "",
    ]:
        answer = await trader.http.post(
            orders, content=b"<order/>", headers={"Content-Type": kind.encode("latin-1")}
        )
        assert answer.status_code in (400, 415, 422)


async def test_a_path_with_anything_in_it_never_breaks_the_gateway(trader: Person) -> None:
    for part in ("%00", "%ff", "%ed%a0%80", "..%2f..", "a" * 3000, "{}", "%0d%0aX: y", "'--"):
        for path in (f"/accounts/{part}", f"/instruments/{part}", f"/candles/{part}", f"/{part}"):
            answer = await trader.http.get(path)
            assert answer.status_code in (404, 422), (path, answer.status_code)


async def test_orders_survive_the_loss_of_redis_connections(
    trader: Person, orders: str, redis: Redis
) -> None:
    await redis.client_kill_filter(_type="pubsub")
    ticket = {**MARKET, "client_order_id": "again"}
    async with asyncio.timeout(30):
        while (answer := await trader.http.post(orders, json=ticket)).status_code == 503:
            assert answer.json()["code"] == "outcome_unknown"
    assert answer.status_code in (200, 201)
    assert UUID(answer.json()["id"])


async def test_orders_are_refused_while_redis_is_away_and_go_on_when_it_is_back(
    settings: Settings, behind: HttpDouble, engine: Engine, tmp_path: Path
) -> None:
    assert settings.redis_password is not None
    valkey = Valkey(tmp_path / "valkey", free_port(), settings.redis_password.get_secret_value())
    valkey.start()
    own = make_settings(settings, behind.url, redis_port=valkey.port, order_answer_timeout_s=0.5)
    redis = make_redis(own)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(valkey.stop)
        stack.push_async_callback(redis.aclose)
        api = await stack.enter_async_context(running(own))
        trader = await api.person("ada")
        async with ProcessorDouble(redis, engine, own.order_shards).running():
            account = (await trader.http.post("/accounts", json={"name": "Main"})).json()
        orders = f"/accounts/{account['id']}/orders"
        ticket = {**MARKET, "client_order_id": "through"}
        valkey.stop()
        assert code(await trader.http.post(orders, json=ticket)) == (503, "outcome_unknown")
        assert (await trader.http.get(orders)).json()["items"] == []
        ready = await api.http.get("http://gateway/health/ready")
        assert ready.status_code == 503
        valkey.start()
        async with ProcessorDouble(redis, engine, own.order_shards).running():
            async with asyncio.timeout(40):
                while (answer := await trader.http.post(orders, json=ticket)).status_code == 503:
                    pass
        assert answer.status_code in (200, 201)
