"""A market, accounts, and an order processor on real servers."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine

from order_processor.settings import OrderProcessorSettings
from order_processor.wiring import Wiring, wire
from shared.config import Settings
from shared.redis.requests import OrderRequests
from tests.order_processor.support import Desk, Feed, ProcessorProcess, add_instrument


@pytest.fixture
def processor_settings(settings: Settings, calendar_folder: Path) -> OrderProcessorSettings:
    return OrderProcessorSettings(
        _env_file=None,
        **(settings.model_dump() | {"calendar_folder": calendar_folder}),
        order_cursor_interval_s=0.2,
    )


@pytest.fixture
def processor(
    processor_settings: OrderProcessorSettings,
) -> Callable[[], AbstractAsyncContextManager[Wiring]]:
    """Starts one in this process; leaving the block drains it."""
    return lambda: wire(processor_settings)


@pytest.fixture
async def requests(redis: Redis, settings: Settings) -> AsyncIterator[OrderRequests]:
    requests = OrderRequests(redis, settings.order_shards)
    async with requests.listening():
        yield requests


@pytest.fixture
def desk(engine: Engine, requests: OrderRequests) -> Desk:
    """A trader with an account of 100,000, and an instrument `SPY` to trade."""
    add_instrument(engine, "SPY", tick=Decimal("0.01"), lot=Decimal(1))
    return Desk(engine, requests)


@pytest.fixture
def feed(redis: Redis) -> Feed:
    return Feed(redis)


@pytest.fixture
def processes(
    settings: Settings, calendar_folder: Path
) -> Iterator[Callable[..., ProcessorProcess]]:
    """Makes and starts processor processes; all are gone after the test."""
    made: list[ProcessorProcess] = []

    def make(**environment: str) -> ProcessorProcess:
        process = ProcessorProcess(
            settings, **({"CALENDAR_FOLDER": str(calendar_folder)} | environment)
        )
        process.start()
        made.append(process)
        return process

    yield make
    for process in made:
        process.end()
