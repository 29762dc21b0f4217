"""The `/internal` interface over real HTTP."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from cli.embedded.processes import start_child
from cli.embedded.servers import free_port
from shared.utils.tls import trusted_authorities
from strategy_workers.settings import StrategyWorkersSettings
from tests.strategy_workers.conftest import open_account, serving_worker
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually


@pytest.fixture
async def client(worker_settings: StrategyWorkersSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving_worker(worker_settings) as client:
        yield client


def request(account: UUID, **changes: object) -> dict[str, object]:
    return {
        "account_id": str(account),
        "mode": "paper",
        "strategy": "sma_crossover",
        "parameters": {"fast": 2, "slow": 4},
        "symbols": ["SPY"],
        "timeframe": "1m",
        **changes,
    }


async def test_the_catalogue_tells_strategies_with_their_schemas(
    client: httpx.AsyncClient,
) -> None:
    listed = (await client.get("/internal/strategies")).json()
    assert listed["next_cursor"] is None
    one = (await client.get("/internal/strategies/sma_crossover")).json()
    assert one in listed["items"]
    assert list(one["parameters"]["properties"]) == [
        "fast", "slow", "confirmation", "confirmation_period", "allocation", "buffer",
    ]  # fmt: skip
    missing = await client.get("/internal/strategies/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_strategy")


async def test_without_the_platforms_token_nothing_is_told(client: httpx.AsyncClient) -> None:
    for path in ("/internal/strategies", f"/internal/deployments?account_id={uuid4()}"):
        answer = await client.get(path, headers={"X-Internal-Token": "guess"})
        assert answer.status_code == 401


async def test_a_deployment_is_made_run_seen_and_stopped(
    client: httpx.AsyncClient, account: UUID, desk: OrderDesk, market: TapeEngine
) -> None:
    made = await client.post("/internal/deployments", json=request(account))
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["status"], body["wanted"], body["signals"]) == ("starting", "running", 0)
    # Defaults are filled in, so that a change of the library doesn't change what runs.
    assert body["parameters"] == {
        "fast": 2, "slow": 4, "confirmation": "none", "confirmation_period": 50,
        "allocation": "95", "buffer": "1.5",
    }  # fmt: skip
    path, owner = f"/internal/deployments/{body['id']}", {"account_id": str(account)}

    async def has(status: str) -> bool:
        return (await client.get(path, params=owner)).json()["status"] == status

    await eventually(lambda: has("running"), "running")
    await market.play("SPY", [100, 100, 100, 100, 101, 102, 99, 97, 96, 96])
    first = (await client.get(f"{path}/signals", params={**owner, "limit": 1})).json()
    assert [(item["seq"], item["side"]) for item in first["items"]] == [(2, "sell")]
    rest = (
        await client.get(f"{path}/signals", params={**owner, "cursor": first["next_cursor"]})
    ).json()
    assert [(item["seq"], item["side"]) for item in rest["items"]] == [(1, "buy")]
    assert rest["next_cursor"] is None
    for _ in range(2):
        stopped = await client.post(f"{path}/stop", params=owner)
        assert (stopped.status_code, stopped.json()["wanted"]) == (200, "stopped")
    await eventually(lambda: has("stopped"), "stopped")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"strategy": "nothing"}, 404, "unknown_strategy"),
        ({"parameters": {"fast": 40}}, 422, "invalid_parameters"),
        ({"parameters": {"speed": 1}}, 422, "invalid_parameters"),
        ({"mode": "live"}, 422, "mode_not_available"),
        ({"mode": "dream"}, 422, "invalid_request"),
        ({"symbols": ["XXX"]}, 422, "unknown_symbol"),
        ({"symbols": ["SPY\0"]}, 422, "invalid_request"),
        ({"symbols": ["OLD"]}, 422, "not_tradable"),
        ({"symbols": ["SPY", "SPY"]}, 422, "repeated_symbol"),
        ({"symbols": []}, 422, "invalid_request"),
        ({"symbols": [f"S{n}" for n in range(51)]}, 422, "invalid_request"),
        ({"timeframe": "2m"}, 422, "invalid_request"),
        ({"account_id": str(uuid4())}, 404, "not_found"),
        ({"wanted": "stopped"}, 422, "invalid_request"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_and_changes_nothing(
    client: httpx.AsyncClient,
    account: UUID,
    engine: Engine,
    changes: dict[str, object],
    status: int,
    code: str,
) -> None:
    answer = await client.post("/internal/deployments", json=request(account, **changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM deployments")).scalar() == 0


async def test_invalid_parameters_name_their_fields(
    client: httpx.AsyncClient, account: UUID
) -> None:
    answer = await client.post(
        "/internal/deployments",
        json=request(account, parameters={"fast": 1, "slow": "x", "speed": 1}),
    )
    fields = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert fields == {
        "fast": "must be from 2 to 500",
        "slow": "must be a whole number",
        "speed": "sma_crossover has no parameter of this name",
    }


async def test_parameters_change_by_version_and_bad_ones_change_nothing(
    client: httpx.AsyncClient, account: UUID
) -> None:
    made = (await client.post("/internal/deployments", json=request(account))).json()
    path, owner = f"/internal/deployments/{made['id']}", {"account_id": str(account)}

    async def change(**body: object) -> tuple[int, str]:
        answer = await client.patch(path, params=owner, json=body)
        return answer.status_code, answer.json().get("code", answer.json().get("parameters"))

    for given in ({"fast": 9}, {"slow": None}, {"speed": 1}, {"fast": -1}, {"fast": 1e300}):
        assert await change(parameters=given) == (422, "invalid_parameters"), given
    for body in ({}, {"parameters": 7}, {"parameters": {"fast": 3}, "version": 0}):
        assert await change(**body) == (422, "invalid_request")
    assert await change(parameters={"fast": 3}, version=2) == (409, "parameters_changed")
    assert (await change(parameters={"fast": 2}, version=1))[0] == 200  # as it is already
    status, parameters = await change(parameters={"fast": 3}, version=1)
    assert (status, parameters) == (200, {**made["parameters"], "fast": 3})
    assert await change(parameters={"fast": 2}, version=1) == (409, "parameters_changed")
    listed = (await client.get(f"{path}/parameters", params={**owner, "limit": "1"})).json()
    assert [item["parameters"]["fast"] for item in listed["items"]] == [3]
    rest = (
        await client.get(f"{path}/parameters", params={**owner, "cursor": listed["next_cursor"]})
    ).json()
    assert [(item["version"], item["parameters"]["fast"]) for item in rest["items"]] == [(1, 2)]
    await client.post(f"{path}/stop", params=owner)
    assert await change(parameters={"fast": 2}) == (409, "deployment_stopped")
    for verb in ("pause", "resume"):
        answer = await client.post(f"{path}/{verb}", params=owner)
        assert (answer.status_code, answer.json()["code"]) == (409, "deployment_stopped")


async def test_someone_elses_deployment_does_not_exist(
    client: httpx.AsyncClient, account: UUID, engine: Engine
) -> None:
    other = open_account(engine, "other")
    made = (await client.post("/internal/deployments", json=request(account))).json()
    path, params = f"/internal/deployments/{made['id']}", {"account_id": str(other)}
    answers = [
        await client.get(path, params=params),
        await client.get(f"{path}/signals", params=params),
        await client.get(f"{path}/parameters", params=params),
        await client.get(f"{path}/logs", params=params),
        await client.get(f"{path}/variables", params=params),
        await client.post(f"{path}/stop", params=params),
        await client.post(f"{path}/pause", params=params),
        await client.post(f"{path}/resume", params=params),
        await client.patch(path, params=params, json={"parameters": {"fast": 3}}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 9
    mine = await client.get(path, params={"account_id": str(account)})
    assert mine.json()["wanted"] == "running"
    assert (await client.get(path)).status_code == 422


async def test_deployments_are_listed_page_by_page_newest_first(
    client: httpx.AsyncClient, account: UUID, engine: Engine
) -> None:
    made = [
        (await client.post("/internal/deployments", json=request(account))).json()["id"]
        for _ in range(3)
    ]
    await client.post("/internal/deployments", json=request(open_account(engine, "other")))
    params = {"account_id": str(account), "limit": "2"}
    first = (await client.get("/internal/deployments", params=params)).json()
    rest = (
        await client.get("/internal/deployments", params={**params, "cursor": first["next_cursor"]})
    ).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    for cursor in ("x", "2026-01-01T00:00:00Z=x", "=" * 3):
        refused = await client.get("/internal/deployments", params={**params, "cursor": cursor})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor")


async def test_the_service_starts_tells_its_health_and_ends_on_request(
    worker_settings: StrategyWorkersSettings, tmp_path: Path
) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "ENVIRONMENT": "test",
        "STRATEGY_WORKERS_PORT": str(port),
        "DB_PORT": str(worker_settings.db_port),
        "DB_NAME": worker_settings.db_name,
        "DB_PASSWORD": worker_settings.db_password.get_secret_value(),
        "REDIS_PORT": str(worker_settings.redis_port),
        "REDIS_PASSWORD": worker_settings.redis_password.get_secret_value(),  # type: ignore[union-attr]
    }
    process = start_child(
        [sys.executable, "-m", "strategy_workers"],
        log=tmp_path / "log",
        on_parent_death=signal.SIGKILL,
        environment=environment,
    )
    try:
        async with httpx.AsyncClient(verify=trusted_authorities(), trust_env=False) as client:

            async def ready() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
                    return answer.json() == {
                        "status": "ok",
                        "dependencies": {"postgres": "ok", "redis": "ok"},
                    }
                return False

            await eventually(ready, "ready", timeout_s=30)
            metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            assert "strategy_deployments_running 0.0" in metrics
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 15) in (0, -signal.SIGTERM)
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.kill()
            process.wait(5)
