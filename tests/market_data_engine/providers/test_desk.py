"""Providers and their configuration, through the engine's own interface."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from cli.embedded.servers import free_port
from market_data_engine.settings import MarketDataSettings
from shared.config import InvalidSettingsError
from tests.market_data_engine.conftest import Engine, running_engine, until

POLICIES = {"bars_1m": ["yahoo"], "bars_1d": ["yahoo"], "trades": ["alpaca"]}


@pytest.fixture
def provided(engine_settings: MarketDataSettings) -> MarketDataSettings:
    """Yahoo can be asked, Alpaca lacks its keys. Nobody listens at either address."""
    return engine_settings.model_copy(
        update={"history_providers": "alpaca,yahoo", "yahoo_history_url": "http://127.0.0.1:9"}
    )


@pytest.fixture
async def running(provided: MarketDataSettings, redis: Redis) -> AsyncIterator[Engine]:
    async with running_engine(provided, redis) as engine:
        await engine.leading()
        yield engine


async def put(engine: Engine, configuration: dict[str, Any], **more: Any) -> Any:
    body = {"configuration": configuration, "requested_by": "user:1", **more}
    return await engine.http.put("/internal/market-data/configuration", json=body)


async def version(engine: Engine) -> int:
    answer = await engine.http.get("/internal/market-data/configuration")
    return int(answer.json()["version"])


async def test_a_configuration_is_swapped_whole_counted_and_followed_by_other_engines(
    running: Engine, provided: MarketDataSettings, redis: Redis
) -> None:
    assert await version(running) == 0
    changed = await put(running, {"policies": POLICIES, "tiers": {"T1": ["SPY"]}}, based_on=0)
    assert changed.status_code == 200, changed.text
    told = changed.json()
    assert told["version"] == 1
    assert (told["configuration"]["policies"], told["configuration"]["tiers"]) == (
        POLICIES,
        {"T1": ["SPY"]},
    )
    outdated = await put(running, {"policies": POLICIES}, based_on=0)
    assert (outdated.status_code, outdated.json()["code"]) == (409, "configuration_changed")
    for bad, reason in (
        ({"policies": {**POLICIES, "trades": ["nobody"]}}, "'nobody' is no provider"),
        ({"thresholds": {"demote_below": "low"}}, "thresholds.demote_below"),
        ({"nonsense": 1}, "nonsense"),
    ):
        refused = await put(running, bad)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_configuration")
        assert reason in refused.json()["detail"]
    assert await version(running) == 1

    other = provided.model_copy(update={"market_data_port": free_port()})
    async with running_engine(other, redis) as standby:
        assert await version(standby) == 1
        assert (await put(standby, {"policies": POLICIES})).json()["version"] == 2

        async def followed() -> bool:
            return await version(running) == 2

        await until(followed)

        # Any engine answers for the one that asks the providers, the last scores included.
        async def scored() -> Any:
            answer = await standby.http.get("/internal/market-data/providers")
            items = {item["name"]: item for item in answer.json()["items"]}
            return items if items["yahoo"]["scores"] else None

        items = await until(scored)
    yahoo, alpaca = items["yahoo"], items["alpaca"]
    assert (yahoo["available"], yahoo["breaker"], yahoo["score"]) == (True, "closed", 1.0)
    assert [score["score"] for score in yahoo["scores"]] == [1.0]
    assert not alpaca["available"]
    assert alpaca["problem"] == "ALPACA_DATA_KEY_ID and ALPACA_DATA_SECRET_KEY must be set."


@pytest.mark.parametrize("text", ["nobody", "alpaca,alpaca", "alpaca;yahoo"])
def test_providers_that_make_no_sense_are_refused_at_start(text: str) -> None:
    with pytest.raises(InvalidSettingsError, match="HISTORY_PROVIDERS"):
        MarketDataSettings(_env_file=None, history_providers=text)


async def test_the_universe_is_replaced_by_a_table_and_the_rest_stays(running: Engine) -> None:
    path = "/internal/market-data/universe"
    await put(running, {"policies": POLICIES, "cadences_s": {"T0": 30}, "tiers": {"T2": ["IBM"]}})

    async def upload(table: bytes) -> Any:
        return await running.http.put(path, content=table, params={"requested_by": "user:1"})

    changed = await upload(b"symbol,tier\nSPY,T1\nAAPL,T0\n")
    assert changed.status_code == 200, changed.text
    assert changed.json() == {
        "version": 2,
        "items": [
            {"symbol": "AAPL", "tier": "T0", "cadence_s": 30.0, "configured": True},
            {"symbol": "SPY", "tier": "T1", "cadence_s": 300.0, "configured": True},
        ],
        "next_cursor": None,
    }
    first = (await running.http.get(path, params={"limit": 1})).json()
    rest = (await running.http.get(path, params={"cursor": first["next_cursor"]})).json()
    assert [one["symbol"] for one in first["items"] + rest["items"]] == ["AAPL", "SPY"]
    assert [
        one["symbol"]
        for one in (await running.http.get(path, params={"tier": "T1"})).json()["items"]
    ] == ["SPY"]
    table = await running.http.get(path, params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text == "symbol,tier\nAAPL,T0\nSPY,T1\n"
    configuration = (await running.http.get("/internal/market-data/configuration")).json()
    assert configuration["configuration"]["policies"] == POLICIES

    refused = await upload(b"symbol,tier\nSPY,T1\nspy,T1\n")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_universe")
    assert refused.json()["errors"] == [{"field": "file", "message": "line 3: 'spy' is no symbol."}]
    assert await version(running) == 2
