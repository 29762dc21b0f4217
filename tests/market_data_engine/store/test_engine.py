"""The engine on InfluxDB: its runs, its answers, and what becomes of them when InfluxDB goes."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from market_data_engine.settings import MarketDataSettings
from market_data_engine.store.influxdb import InfluxCandleStore
from shared.models.market import Candle, Candles, RunEnded
from tests.market_data_engine.conftest import Participant, running_engine, until
from tests.market_data_engine.store.servers import InfluxDB
from tests.market_data_engine.store.test_contract import everything
from tests.market_data_engine.test_leadership import client, process, start

SYMBOL = "SIM-TREND"
SHORT: dict[str, Any] = {"symbols": [SYMBOL], "minutes": 120, "trades_per_minute": 10}


@pytest.fixture
def on_influxdb(
    engine_settings: MarketDataSettings, influxdb: InfluxDB, bucket: str
) -> MarketDataSettings:
    return engine_settings.model_copy(
        update={
            "candle_store": "influxdb",
            "influxdb_url": influxdb.url,
            "influxdb_bucket": bucket,
        }
    )


@pytest.fixture
def up_again(influxdb: InfluxDB) -> Iterator[None]:
    """Whatever a test does to it."""
    yield
    if not influxdb.processes:
        influxdb.start()


def on_tape(orders: Participant) -> list[Candle]:
    candles = [one for entry in orders.of(Candles) for one in entry.candles]
    return [one for one in candles if one.timeframe == "1m"]


async def lines_on_disk(settings: MarketDataSettings) -> int:
    files = (settings.market_data_folder / "candles").rglob("*.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in files)


async def test_a_finished_run_is_in_influxdb_and_is_answered_from_there(
    on_influxdb: MarketDataSettings,
    redis: Redis,
    orders: Participant,
    influx_store: InfluxCandleStore,
) -> None:
    async with running_engine(on_influxdb, redis) as engine:
        await engine.leading()
        ready = (await engine.http.get("/health/ready")).json()
        assert ready["dependencies"] == {"postgres": "ok", "redis": "ok", "influxdb": "ok"}
        run_id = await engine.start(synthetic=SHORT)
        assert (await engine.ended(run_id))["status"] == "finished"
        assert everything(influx_store, SYMBOL) == on_tape(orders)
        first = on_tape(orders)[0].start_ns
        path = f"/internal/candles/{SYMBOL}?start=2000-01-01T00:00:00Z&limit=50"
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            answer = await engine.http.get(path + (f"&cursor={cursor}" if cursor else ""))
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                break
        assert len(found) == 120
        assert [item["close"] for item in found] == [one.close for one in on_tape(orders)]
        assert first == min(one.start_ns for one in everything(influx_store, SYMBOL))


async def test_a_run_waits_at_its_end_for_an_influxdb_that_is_away(
    on_influxdb: MarketDataSettings,
    redis: Redis,
    orders: Participant,
    influxdb: InfluxDB,
    influx_store: InfluxCandleStore,
    up_again: None,
) -> None:
    async with running_engine(on_influxdb, redis) as engine:
        await engine.leading()
        influxdb.stop()
        run_id = await engine.start(synthetic=SHORT)

        async def waits() -> bool:
            metrics = (await engine.http.get("/metrics")).text
            return "market_data_store_away 1.0" in metrics and len(on_tape(orders)) == 120

        await until(waits)
        assert (await engine.replay(run_id))["status"] == "running"
        answer = await engine.http.get(f"/internal/candles/{SYMBOL}?start=2000-01-01T00:00:00Z")
        assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable")
        assert (await engine.http.get("/health/ready")).status_code == 503
        influxdb.start()
        assert (await engine.ended(run_id))["status"] == "finished"
    assert everything(influx_store, SYMBOL) == on_tape(orders)


async def test_candles_of_a_killed_engine_are_stored_by_the_next_one(
    on_influxdb: MarketDataSettings,
    orders: Participant,
    influxdb: InfluxDB,
    influx_store: InfluxCandleStore,
    up_again: None,
) -> None:
    async with process(on_influxdb) as child, client(on_influxdb) as http:
        influxdb.stop()
        await start(http, SHORT)

        async def all_completed() -> bool:
            return len(on_tape(orders)) == 120

        await until(all_completed)
        child.send_signal(signal.SIGKILL)
        await child.wait()
    assert await lines_on_disk(on_influxdb) > 120
    influxdb.start()
    assert everything(influx_store, SYMBOL) == []
    async with process(on_influxdb):

        async def all_stored() -> bool:
            return everything(influx_store, SYMBOL) == on_tape(orders)

        await until(all_stored)
    for timeframe in ("5m", "1h"):
        assert everything(influx_store, SYMBOL, timeframe) != []


async def test_candles_of_a_stopped_engine_are_stored_by_the_one_that_stood_by(
    on_influxdb: MarketDataSettings,
    free_market_port: int,
    redis: Redis,
    orders: Participant,
    influxdb: InfluxDB,
    influx_store: InfluxCandleStore,
    up_again: None,
) -> None:
    other = on_influxdb.model_copy(update={"market_data_port": free_market_port})
    async with contextlib.AsyncExitStack() as first, contextlib.AsyncExitStack() as second:
        leader = await first.enter_async_context(running_engine(on_influxdb, redis))
        await leader.leading()
        standby = await second.enter_async_context(running_engine(other, redis))
        influxdb.stop()
        await leader.start(synthetic=SHORT)

        async def all_completed() -> bool:
            return len(on_tape(orders)) == 120

        await until(all_completed)

        async def waits_for_the_store() -> bool:
            return bool(orders.of(RunEnded))

        # A run that waits at its end must not keep its engine from stopping.
        await until(waits_for_the_store)
        async with asyncio.timeout(40):
            await first.aclose()
        assert len(orders.of(RunEnded)) == 1
        await standby.leading()
        influxdb.start()

        async def all_stored() -> bool:
            return everything(influx_store, SYMBOL) == on_tape(orders)

        await until(all_stored)
