"""Who carries the market: take-over, death, standby, and the simulated market."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import text
from structlog.testing import capture_logs

from cli.embedded.servers import Valkey, free_port
from market_data_engine.settings import MarketDataSettings
from shared.models.market import RunEnded, RunStarted, TimeMark, Trades
from shared.redis import make_redis, tape
from shared.redis.keys import TAPE
from shared.service.internal import INTERNAL_TOKEN_HEADER
from shared.utils.tls import trusted_authorities
from tests.market_data_engine.conftest import Engine, Participant, running_engine, until

LONG: dict[str, Any] = {"symbols": ["SIM-TREND"], "minutes": 50_000, "trades_per_minute": 10}
SHORT: dict[str, Any] = {**LONG, "minutes": 5}


async def test_a_standby_answers_but_starts_no_run(
    running: Engine,
    engine_settings: MarketDataSettings,
    free_market_port: int,
    redis: Redis,
    orders: Participant,
) -> None:
    settings = engine_settings.model_copy(update={"market_data_port": free_market_port})
    await running.ended(await running.start(synthetic=SHORT))
    async with running_engine(settings, redis) as standby:
        answer = await standby.http.post("/internal/replays", json={"synthetic": SHORT})
        assert (answer.status_code, answer.json()["code"]) == (503, "standby")
        path = "/internal/candles/SIM-TREND?timeframe=1m"
        assert (await standby.http.get(path)).json() == (await running.http.get(path)).json()
        assert (await standby.http.get("/health/ready")).json() == {
            "status": "ok",
            "dependencies": {"postgres": "ok", "redis": "ok"},
        }


async def test_the_next_engine_takes_over_at_once_when_one_stops(
    engine_settings: MarketDataSettings, free_market_port: int, redis: Redis, orders: Participant
) -> None:
    # A long lease: the second engine must not have to wait for it to run out.
    first = engine_settings.model_copy(update={"lease_duration_s": 60.0})
    second = first.model_copy(
        update={"market_data_port": free_market_port, "lease_duration_s": 1.0}
    )
    async with contextlib.AsyncExitStack() as both:
        leader = await both.enter_async_context(contextlib.AsyncExitStack())
        engine = await leader.enter_async_context(running_engine(first, redis))
        await engine.leading()
        standby = await both.enter_async_context(running_engine(second, redis))
        assert not standby.parts.leadership.held
        await leader.aclose()
        await standby.leading()
        assert (await standby.ended(await standby.start(synthetic=SHORT)))["status"] == "finished"


async def test_an_overtaken_engine_ends_its_run_and_writes_nothing_more(
    running: Engine, engine: Database, redis: Redis, orders: Participant
) -> None:
    run_id = await running.start(synthetic=LONG)

    async def under_way() -> bool:
        return len(orders.of(TimeMark)) > 5

    await until(under_way)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE leases SET owner = 'another', epoch = epoch + 1,"
                " expires_at = now() + interval '1 minute' WHERE kind = 'market_data'"
            )
        )
    replay = await running.ended(run_id)
    assert replay["status"] == "failed"
    assert replay["error"] == "Another engine took over the market."
    length = await redis.xlen(TAPE)
    answer = await running.http.post("/internal/replays", json={"synthetic": SHORT})
    assert (answer.status_code, answer.json()["code"]) == (503, "standby")
    assert await redis.xlen(TAPE) == length


async def test_a_lease_that_ran_out_but_nobody_took_ends_no_run(
    running: Engine, engine: Database, orders: Participant
) -> None:
    run_id = await running.start(synthetic={**LONG, "minutes": 400})
    with engine.begin() as connection:
        connection.execute(text("UPDATE leases SET expires_at = now() - interval '1 minute'"))
    assert (await running.ended(run_id))["status"] == "finished"


async def test_a_run_ends_in_order_when_its_engine_is_stopped(
    engine_settings: MarketDataSettings, redis: Redis, orders: Participant, engine: Database
) -> None:
    async with running_engine(engine_settings, redis) as running:
        await running.leading()
        run_id = await running.start(synthetic=LONG)

        async def under_way() -> bool:
            return len(orders.of(TimeMark)) > 5

        await until(under_way)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM replays")).one()
        stored = connection.execute(
            text("SELECT count(*) FROM candles WHERE timeframe = '1m'")
        ).scalar_one()
    assert (str(row.id), row.status, row.error) == (run_id, "stopped", "The engine was stopped.")

    async def told() -> bool:
        return bool(orders.of(RunEnded))

    await until(told)
    assert row.ticks == sum(len(trades.at_ns) for trades in orders.of(Trades))
    assert stored == len({mark.number for mark in orders.of(TimeMark)})


# --- a process of its own ------------------------------------------------------------------------


def environment(settings: MarketDataSettings) -> dict[str, str]:
    password = settings.redis_password
    assert password is not None
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
        "DB_PORT": str(settings.db_port),
        "DB_NAME": settings.db_name,
        "DB_PASSWORD": settings.db_password.get_secret_value(),
        "REDIS_PORT": str(settings.redis_port),
        "REDIS_PASSWORD": password.get_secret_value(),
        "ENVIRONMENT": "test",
        "ORDER_SHARDS": str(settings.order_shards),
        "LEASE_DURATION_S": "1",
        "MARKET_DATA_PORT": str(settings.market_data_port),
        "MARKET_DATA_FOLDER": str(settings.market_data_folder),
        "MARKET_DATA_MODE": settings.market_data_mode,
        "CANDLE_STORE": settings.candle_store,
        "INFLUXDB_URL": settings.influxdb_url,
        "INFLUXDB_BUCKET": settings.influxdb_bucket,
    }


@contextlib.asynccontextmanager
async def process(
    settings: MarketDataSettings, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The engine as operators start it, ready. `more` settings by their names."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "market_data_engine", env={**environment(settings), **more}
    )
    try:
        async with client(settings) as http:

            async def ready() -> bool:
                assert child.returncode is None
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get("/health/ready")).status_code == 200
                return False

            await until(ready, 30)
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def client(settings: MarketDataSettings) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{settings.market_data_port}",
        headers={INTERNAL_TOKEN_HEADER: settings.internal_token.get_secret_value()},
        verify=trusted_authorities(),
        trust_env=False,
    )


async def start(http: httpx.AsyncClient, request: dict[str, Any]) -> str:
    """As soon as the engine has the lease."""

    async def started() -> str | None:
        answer = await http.post("/internal/replays", json={"synthetic": request})
        assert answer.status_code in (201, 503), answer.text
        return answer.json().get("id")

    return str(await until(started))


async def test_a_run_of_a_killed_engine_has_failed_and_can_be_started_again(
    engine_settings: MarketDataSettings, orders: Participant, engine: Database
) -> None:
    async with process(engine_settings) as child, client(engine_settings) as http:
        run_id = await start(http, LONG)

        async def under_way() -> bool:
            return len(orders.of(TimeMark)) > 20

        await until(under_way)
        child.send_signal(signal.SIGKILL)
        await child.wait()
    async with process(engine_settings) as child, client(engine_settings) as http:
        again = await start(http, SHORT)
        died = (await http.get(f"/internal/replays/{run_id}")).json()
        assert (died["status"], died["error"]) == (
            "failed",
            "The engine that carried this run died.",
        )

        async def over() -> bool:
            return bool(
                (await http.get(f"/internal/replays/{again}")).json()["status"] == "finished"
            )

        await until(over)
        child.send_signal(signal.SIGTERM)
        # uvicorn ends with the signal that it was asked to end by.
        assert await asyncio.wait_for(child.wait(), 10) in (0, -signal.SIGTERM)
    assert [entry.run_id for entry in orders.of(RunEnded)] == [run_id, again]
    # No mark of the dead run came after the new one had begun, and no candle is there twice.
    runs = [entry.run_id for entry in orders.of(RunStarted)]
    assert runs == [run_id, again]
    second = next(
        index
        for index, (_, entry) in enumerate(orders.entries)
        if isinstance(entry, RunStarted) and entry.run_id == again
    )
    later = [entry for _, entry in orders.entries[second:] if isinstance(entry, TimeMark)]
    assert {mark.run_id for mark in later} == {again}
    assert [mark.number for mark in later] == [n for n in range(1, 6) for _ in range(2)]


# --- the simulated market ------------------------------------------------------------------------


@pytest.fixture
def simulated(engine_settings: MarketDataSettings) -> MarketDataSettings:
    return engine_settings.model_copy(
        update={"market_data_mode": "simulated", "simulated_trades_per_minute": 600}
    )


async def marks_after(redis: Redis, entry_id: str) -> list[TimeMark]:
    entries = [raw.decode() for raw in await tape.read(redis, entry_id, count=5000, block_ms=50)]
    return [entry for entry in entries if isinstance(entry, TimeMark)]


async def test_the_simulated_market_goes_with_the_wall_clock_and_waits_for_nobody(
    simulated: MarketDataSettings, redis: Redis
) -> None:
    async with running_engine(simulated, redis) as running:
        await running.leading()

        async def now() -> list[TimeMark]:
            marks = await marks_after(redis, "0-0")
            return marks if marks and abs(marks[-1].at_ns / 1e9 - time.time()) < 1.5 else []

        marks = await until(now)
        assert not any(mark.paced for mark in marks)
        first = (await tape.read(redis, "0-0", block_ms=10))[0].decode()
        assert isinstance(first, RunStarted)
        assert (first.source, first.paced) == ("live", False)
        answer = await running.http.post("/internal/replays", json={"synthetic": SHORT})
        assert (answer.status_code, answer.json()["code"]) == (409, "run_in_progress")

        async def forming() -> bool:
            """Not so before the first print of a minute."""
            items = (await running.http.get("/internal/candles/SIM-RANGE")).json()["items"]
            return bool(items) and items[-1]["complete"] is False

        await until(forming)
        (run,) = (await running.http.get("/internal/replays")).json()["items"]
        assert run["status"] == "running"
        assert run["total_ticks"] is None
        assert run["request"]["simulated"]["symbols"] == ["SIM-TREND", "SIM-RANGE"]


async def test_the_simulated_market_starts_again_when_it_dies_but_not_when_it_is_stopped(
    simulated: MarketDataSettings, redis: Redis, orders: Participant
) -> None:
    async with running_engine(simulated, redis) as running:

        async def runs() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = (await running.http.get("/internal/replays")).json()[
                "items"
            ]
            return found

        await until(runs)
        # Somebody else writes to the tape: the run must give way, and begin anew.
        far_ahead = f"{(time.time_ns() // 1_000_000) + 3}-0"
        entry = {"k": "run_ended", "b": b'{"type":"run_ended","run_id":"x"}'}
        await redis.xadd(TAPE, entry, id=far_ahead)  # type: ignore[arg-type]

        async def two() -> bool:
            return [run["status"] for run in await runs()] == ["running", "failed"]

        await until(two)
        newest = (await runs())[0]
        answer = await running.http.post(f"/internal/replays/{newest['id']}/stop")
        assert answer.json()["status"] == "stopped"
        replay = await running.ended(await running.start(synthetic=SHORT))
        assert replay["status"] == "finished"


async def test_the_simulated_market_begins_when_redis_comes_back(
    simulated: MarketDataSettings, tmp_path: Path
) -> None:
    assert simulated.redis_password is not None
    valkey = Valkey(tmp_path / "valkey", free_port(), simulated.redis_password.get_secret_value())
    own = simulated.model_copy(update={"redis_port": valkey.port, "redis_socket_timeout_s": 1.0})
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(valkey.stop)
        redis = make_redis(own)
        stack.push_async_callback(redis.aclose)
        logs = stack.enter_context(capture_logs())
        await stack.enter_async_context(running_engine(own, redis))

        async def tried() -> bool:
            return any(entry["event"] == "market_not_started" for entry in logs)

        await until(tried)
        await asyncio.to_thread(valkey.start)

        async def goes_on() -> bool:
            return bool(await marks_after(redis, "0-0"))

        await until(goes_on)


async def test_the_end_of_a_run_that_failed_without_redis_is_told_when_redis_is_back(
    engine_settings: MarketDataSettings, tmp_path: Path
) -> None:
    assert engine_settings.redis_password is not None
    password = engine_settings.redis_password.get_secret_value()
    valkey = Valkey(tmp_path / "valkey", free_port(), password)
    own = engine_settings.model_copy(
        update={"redis_port": valkey.port, "redis_socket_timeout_s": 1.0}
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(valkey.stop)
        valkey.start()
        redis = make_redis(own)
        stack.push_async_callback(redis.aclose)
        running = await stack.enter_async_context(running_engine(own, redis))
        await running.leading()
        run_id = await running.start(synthetic=SHORT)  # it waits for shards that don't come

        async def begun() -> bool:
            return bool(await marks_after(redis, "0-0"))

        await until(begun)
        assert valkey.process is not None
        valkey.process.kill()
        valkey.process.wait()
        assert (await running.ended(run_id))["status"] == "failed"
        valkey.start()

        async def told() -> bool:
            entries = [entry.decode() for entry in await tape.read(redis, "0-0", block_ms=None)]
            return RunEnded(run_id=run_id) in entries

        await until(told)
