"""Data jobs through the engine's own interface, with a vendor's server behind it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from market_data_engine.history.memory import KEPT, CandleMemory
from market_data_engine.settings import MarketDataSettings
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.lines import parse_time
from tests.market_data_engine.conftest import Engine, running_engine, until
from tests.market_data_engine.store.test_contract import candle, stored
from tests.market_data_engine.vendors.history import KEY, SECRET, HistoryServer, history_server

START_NS = parse_time("2026-03-19T14:30:00Z")
RANGE = {"start": "2026-03-19T14:30:00Z", "end": "2026-03-19T14:40:00Z"}
JOB = {"kind": "backfill", "symbols": ["AAPL"], "requested_by": "user:1", "tier": "T0", **RANGE}
JOBS = "/internal/market-data/jobs"


@pytest.fixture
async def world(
    engine_settings: MarketDataSettings, redis: Redis
) -> AsyncIterator[tuple[Engine, HistoryServer]]:
    with history_server() as alpaca:
        alpaca.bars["AAPL"] = [
            (START_NS + number * MINUTE_NS, 50.0, 51.0, 49.0, 50.5, 7.0) for number in range(10)
        ]
        settings = engine_settings.model_copy(
            update={
                "history_providers": "alpaca",
                "alpaca_history_url": alpaca.url,
                "alpaca_data_key_id": SecretStr(KEY),
                "alpaca_data_secret_key": SecretStr(SECRET),
            }
        )
        async with running_engine(settings, redis) as engine:
            await engine.leading()
            yield engine, alpaca


async def ended(engine: Engine, status: str) -> list[dict[str, Any]]:
    async def found() -> list[dict[str, Any]]:
        items = (await engine.http.get(JOBS)).json()["items"]
        mine = [item for item in items if item["kind"] == "backfill"]
        return [item for item in mine if item["status"] == status]

    jobs: list[dict[str, Any]] = await until(found, 30)
    return jobs


async def test_a_range_that_is_asked_for_is_fetched_and_shown_with_its_source(
    world: tuple[Engine, HistoryServer],
) -> None:
    engine, alpaca = world
    for wrong, code in (
        ({"symbols": []}, "invalid_request"),
        ({"symbols": ["AAPL"] * 2}, "invalid_request"),
        ({"symbols": ["AAPL"] * 1001}, "invalid_request"),
        ({"symbols": ["NOBODY"]}, "unknown_symbol"),
        ({"start": RANGE["end"], "end": RANGE["start"]}, "invalid_range"),
        ({"start": "2026-01-01T00:00:00Z"}, "invalid_range"),
        ({"end": "2190-01-01T00:00:00Z"}, "invalid_range"),
        ({"kind": "fold"}, "invalid_request"),
        ({"tier": "T7"}, "invalid_request"),
    ):
        refused = await engine.http.post(JOBS, json={**JOB, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, code), wrong
    assert (await engine.http.get(JOBS)).json()["items"] == []

    alpaca.status = 404
    added = await engine.http.post(JOBS, json=JOB)
    assert (added.status_code, added.json()) == (202, {"added": 1})
    (dead,) = await ended(engine, "dead")
    assert "HTTP 404" in dead["problem"]
    for path in (f"{JOBS}/{uuid4()}/requeue", f"{JOBS}/{uuid4()}"):
        missing = await engine.http.request("POST" if "requeue" in path else "DELETE", path)
        assert missing.status_code == 404
    alpaca.status = None
    again = await engine.http.post(f"{JOBS}/{dead['id']}/requeue")
    assert again.status_code == 200, again.text
    (done,) = await ended(engine, "done")
    assert (done["provider"], done["candles"], done["problem"]) == ("alpaca", 10, None)
    alive = await engine.http.delete(f"{JOBS}/{done['id']}")
    assert (alive.status_code, alive.json()["code"]) == (409, "job_not_dead")

    page = await engine.http.get("/internal/candles/AAPL", params=RANGE)
    told = {(item["source"], item["quality"]) for item in page.json()["items"]}
    assert (len(page.json()["items"]), told) == (10, {("alpaca", "healed")})

    async def folded() -> list[dict[str, Any]]:
        query = {"timeframe": "5m", **RANGE}
        items = (await engine.http.get("/internal/candles/AAPL", params=query)).json()["items"]
        return items if len(items) == 2 else []

    assert {item["source"] for item in await until(folded, 30)} == {"alpaca"}
    statistics = (await engine.http.get(f"{JOBS}/statistics")).json()["tiers"]
    assert [tier["dead"] for tier in statistics] == [0, 0, 0]
    assert (await engine.http.post(f"{JOBS}/requeue", json={})).json() == {"requeued": 0}
    bad = await engine.http.get(JOBS, params={"cursor": "nonsense"})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")


async def test_without_providers_no_job_is_taken(running: Engine) -> None:
    refused = await running.http.post(JOBS, json=JOB)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_history_providers")


# --- the candles in memory -----------------------------------------------------------------------


def test_healed_candles_take_their_place_among_the_last_ones() -> None:
    memory = CandleMemory()
    for number in (3, 4, 7):
        memory.add(stored([candle(number)], "live", "partial")[0])
    healed = stored([candle(number) for number in (2, 4, 5, 9)], "alpaca", "healed")
    memory.heal(healed)
    kept = memory.last(candle(0).symbol, "1m", KEPT)
    shown = {(one.candle.start_ns - candle(0).start_ns) // MINUTE_NS: one.source for one in kept}
    # What is earlier is the store's to tell; what is later isn't the run's time yet.
    assert shown == {3: "live", 4: "alpaca", 5: "alpaca", 7: "live"}
