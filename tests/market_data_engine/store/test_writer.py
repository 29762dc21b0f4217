"""Candles on their way into a store that comes and goes."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from market_data_engine.store.influxdb import InfluxCandleStore
from market_data_engine.store.spool import Spool
from market_data_engine.store.store import StoreAwayError
from market_data_engine.store.stored import StoredCandle
from market_data_engine.store.writer import CandleWriter
from shared.database import DatabaseThread
from shared.models.identifiers import Symbol, Timeframe
from tests.market_data_engine.conftest import until
from tests.market_data_engine.store.servers import InfluxDB
from tests.market_data_engine.store.test_contract import candle, everything, minutes, stored


class Store:
    """Takes candles while it is there; remembers all that it was given."""

    def __init__(self) -> None:
        self.there = True
        self.refuses = False
        self.written: list[StoredCandle] = []

    def write(self, candles: Sequence[StoredCandle]) -> None:
        if not self.there:
            raise StoreAwayError("it has gone")
        if self.refuses:
            raise ValueError("never")
        self.written += candles

    def page(
        self, symbol: Symbol, timeframe: Timeframe, start_ns: int, end_ns: int | None, limit: int
    ) -> list[StoredCandle]:
        raise NotImplementedError

    def last(
        self, symbol: Symbol, timeframe: Timeframe, before_ns: int | None, limit: int
    ) -> list[StoredCandle]:
        raise NotImplementedError


@contextlib.asynccontextmanager
async def writing(
    store: Store | InfluxCandleStore, folder: Path, queue_size: int = 1000
) -> AsyncIterator[CandleWriter]:
    thread = DatabaseThread("tests-store")
    writer = CandleWriter(store, thread, folder, queue_size)
    try:
        async with writer.running():
            await writer.take_over()
            yield writer
    finally:
        thread.close()


async def test_candles_are_stored_in_their_order_and_the_disk_is_left_empty(tmp_path: Path) -> None:
    store = Store()
    async with writing(store, tmp_path) as writer:
        for minute in range(300):
            await writer.put(stored([candle(minute)]))
        await writer.stored()
        assert store.written == stored(candle(minute) for minute in range(300))
    assert os.listdir(tmp_path) == []


async def test_sources_that_alternate_keep_their_order(tmp_path: Path) -> None:
    store = Store()
    store.there = False
    async with writing(store, tmp_path) as writer:
        for source in ("replay", "live", "replay"):
            await writer.put(stored([candle(0)], source))
        store.there = True
        await writer.stored()
    assert [one.source for one in store.written] == ["replay", "live", "replay"]


async def test_what_a_store_that_is_away_misses_is_stored_on_its_return(tmp_path: Path) -> None:
    store = Store()
    async with writing(store, tmp_path) as writer:
        store.there = False
        await writer.put(stored([candle(0), candle(1)]))
        waiting = asyncio.create_task(writer.stored())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        store.there = True
        await asyncio.wait_for(waiting, 10)
    assert store.written == stored([candle(0), candle(1)])


async def test_a_full_buffer_makes_the_run_wait_and_drops_nothing(tmp_path: Path) -> None:
    store = Store()
    store.there = False
    async with writing(store, tmp_path, queue_size=100) as writer:
        for first in range(0, 100, 10):
            await writer.put(stored([candle(minute) for minute in range(first, first + 10)]))
        late = asyncio.create_task(writer.put(stored([candle(100)])))
        done, _ = await asyncio.wait([late], timeout=0.1)
        assert not done
        store.there = True
        await asyncio.wait_for(late, 10)
        await writer.stored()
    assert minutes(store.written) == list(range(101))


async def test_what_waits_when_the_engine_stops_is_stored_by_the_next_one(tmp_path: Path) -> None:
    store = Store()
    store.there = False
    async with writing(store, tmp_path) as writer:
        await writer.put(stored([candle(0), candle(1)]))
    store.there = True
    async with writing(store, tmp_path) as writer:
        await writer.put(stored([candle(2)], "live"))
        await writer.stored()
    assert store.written == stored([candle(0), candle(1)]) + stored([candle(2)], "live")
    assert os.listdir(tmp_path) == []


async def test_what_others_left_counts_as_waiting(tmp_path: Path) -> None:
    gone = Spool.create(tmp_path)
    gone.append(stored(candle(minute) for minute in range(100)))
    gone.close(stored=False)
    store = Store()
    store.there = False
    async with writing(store, tmp_path, queue_size=100) as writer:
        late = asyncio.create_task(writer.put(stored([candle(100)])))
        done, _ = await asyncio.wait([late], timeout=0.1)
        assert not done
        store.there = True
        await asyncio.wait_for(late, 10)
        await writer.stored()
    assert minutes(store.written) == list(range(101))


async def test_a_store_that_refuses_for_good_fails_the_run_and_not_the_next_one(
    tmp_path: Path,
) -> None:
    store = Store()
    async with writing(store, tmp_path) as writer:
        store.refuses = True
        await writer.put(stored([candle(0)]))
        with pytest.raises(RuntimeError, match="the candle store failed"):
            await writer.stored()
        with pytest.raises(RuntimeError, match="the candle store failed"):
            await writer.put(stored([candle(1)]))
        store.refuses = False
        writer.forget_failure()
        await writer.put(stored([candle(2)]))
        await writer.stored()
    assert store.written == stored([candle(2)])


async def test_an_influxdb_that_restarts_in_between_has_every_candle_once(
    influxdb: InfluxDB, influx_store: InfluxCandleStore, tmp_path: Path
) -> None:
    expected = [candle(minute) for minute in range(400)]
    async with writing(influx_store, tmp_path) as writer:
        await writer.put(stored(expected[:200]))
        await writer.stored()
        influxdb.stop()
        try:
            await writer.put(stored(expected[200:]))

            async def noticed() -> bool:
                return writer._away

            await until(noticed)
        finally:
            influxdb.start()
        await asyncio.wait_for(writer.stored(), 20)
    assert everything(influx_store) == expected
