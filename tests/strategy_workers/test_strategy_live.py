"""Runs that nobody paces: the wall clock goes on, and history comes from the candle store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn
from fastapi import FastAPI

from cli.embedded.servers import free_port
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform
from tests.strategy_workers.sample_strategies import SAMPLES, SEEN


@pytest.fixture(autouse=True)
def _forget() -> None:
    SEEN.clear()


@pytest.fixture
async def candle_store(
    worker_settings: StrategyWorkersSettings,
) -> AsyncIterator[StrategyWorkersSettings]:
    """A market data engine with minutes before the first candle of the tape, and that one, too."""
    app = FastAPI()

    @app.get("/internal/candles/{symbol}")
    def candles(symbol: str, timeframe: str, end: datetime, limit: int) -> dict[str, object]:
        assert (symbol, timeframe) == ("SPY", "1m")
        first = datetime(1970, 1, 1, tzinfo=UTC)
        starts = [first + timedelta(minutes=n) for n in range(-10, 3)]
        items = [
            {
                "start": start.isoformat(),
                "end": (start + timedelta(minutes=1)).isoformat(),
                **dict.fromkeys(("open", "high", "low", "close", "vwap"), 50.0),
                "volume": 1.0,
                "trades": 1,
                "complete": True,
            }
            for start in starts
            if start < end
        ]
        return {"symbol": symbol, "timeframe": timeframe, "items": items[-limit:]}

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started, "candle store")
    yield worker_settings.model_copy(update={"market_data_url": f"http://127.0.0.1:{port}"})
    server.should_exit = True
    await task


async def _seen(count: int) -> None:
    async def enough() -> bool:
        return len(SEEN) >= count

    await eventually(enough, f"{count} notes")


async def test_a_live_run_begins_with_the_history_that_the_strategy_asks_for(
    platform: Platform,
    candle_store: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("watching")
    async with running_worker(candle_store, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start("live")
        for price in (80.0, 110.0):
            await market.slice({"SPY": price})
        await _seen(2)
    assert SEEN == ["3 candles, average 60", "3 candles, average 80"]


async def test_without_a_candle_store_it_begins_cold(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("watching")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start("live")
        for price in (80.0, 110.0, 50.0):
            await market.slice({"SPY": price})
        await _seen(3)
    assert SEEN == ["1 candles, average None", "2 candles, average None", "3 candles, average 80"]


async def test_a_replay_begins_empty_even_where_there_is_history(
    platform: Platform,
    candle_store: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("watching")
    async with running_worker(candle_store, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.play("SPY", [80])
    assert SEEN == ["1 candles, average None"]


async def test_live_orders_are_filled_and_told_though_nobody_waits(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("scripted", at=1)
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start("live")
        await market.slice({"SPY": 100.0})

        async def ordered() -> bool:
            return len(desk.orders) == 1

        await eventually(ordered, "order")

        async def told() -> bool:
            await market.slice({"SPY": 100.0})
            return "order filled 1 9900" in SEEN

        await eventually(told, "fill")
    assert len(platform.signals(deployment)) == 1


async def test_a_tape_that_was_cut_off_makes_the_market_view_begin_anew(
    platform: Platform,
    candle_store: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("watching")
    async with running_worker(candle_store, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start("live")
        await market.slice({"SPY": 80.0})
        await _seen(1)
    for _ in range(3):  # nobody is there
        await market.slice({"SPY": 500.0})
    await market.cut_off()
    async with running_worker(candle_store, SAMPLES):
        await market.slice({"SPY": 110.0})
        await _seen(2)
    # Averages of what the store holds, not of a series with a hole.
    assert SEEN[1] == "3 candles, average 70"
