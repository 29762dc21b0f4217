"""What the vendor says too late or takes back, from its wire to the store and the topics."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine

from market_data_engine.history.memory import CandleMemory
from market_data_engine.live.amender import Amender
from market_data_engine.live.runner import LiveRunner
from market_data_engine.replays.frames import FrameNumbers, RunFrames
from market_data_engine.replays.marks import Lines, Marks
from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.writer import CandleWriter
from market_data_engine.vendors.alpaca.client import AlpacaFeed
from shared.candles.calendar import SessionCalendar
from shared.database import DatabaseThread
from shared.models.identifiers import Symbol
from shared.models.market import Candle, Candles, CandleUpdated
from shared.models.topics import candles_topic
from shared.redis import tape
from shared.redis.tape_writer import TapeWriter
from shared.redis.topics import frames_after
from shared.replays.candles import RunCandles
from tests.market_data_engine.conftest import until
from tests.market_data_engine.vendors.alpaca import KEY, SECRET, AlpacaServer, alpaca_server, trade

AAPL = Symbol("AAPL")
MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
#: The wall clock goes on while a loaded machine sleeps: nothing is too late for that.
LATE_GRACE_NS = 20 * MINUTE_NS


class Clock:
    """A wall clock that can be set; it begins with an hour, so that no day ends in a test."""

    def __init__(self) -> None:
        self.ahead_ns = HOUR_NS - time.time_ns() % HOUR_NS

    def now_ns(self) -> int:
        return time.time_ns() + self.ahead_ns

    def go_to(self, at_ns: int) -> None:
        self.ahead_ns += max(0, at_ns - self.now_ns())


class Frame(msgspec.Struct):
    data: CandleUpdated


@pytest.fixture
async def writer(engine: Engine, tmp_path: Path) -> AsyncIterator[CandleWriter]:
    thread = DatabaseThread("store")
    writer = CandleWriter(PostgresCandleStore(engine), thread, tmp_path / "candles", 1000)
    await writer.take_over()
    async with writer.running():
        yield writer
    thread.close()


def at(ns: int) -> str:
    whole = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % 1_000_000_000:09}Z"


@dataclass
class Live:
    """A live run of one symbol, from a vendor's server to store, topics and tape."""

    alpaca: AlpacaServer
    engine: Engine
    redis: Redis
    writer: CandleWriter
    candles: RunCandles
    memory: CandleMemory
    marks: Marks
    clock: Clock
    begin_ns: int = 0

    async def begin_minute(self) -> None:
        async def begun() -> bool:
            return self.marks.now_ns is not None

        await until(begun, 30)
        self.begin_ns = self.clock.now_ns() // MINUTE_NS * MINUTE_NS + MINUTE_NS
        self.clock.go_to(self.begin_ns + 1_000_000_000)

    async def taken(self, prints: int) -> None:
        async def all_taken() -> bool:
            return self.marks.ticks == prints

        await until(all_taken, 30)

    async def completed(self) -> Candle:
        async def complete() -> list[Candle]:
            return [one.candle for one in self.memory.last(AAPL, "1m", 9)]

        [candle] = await until(complete, 30)
        assert isinstance(candle, Candle)
        return candle

    async def corrected(self, count: int) -> list[CandleUpdated]:
        """All corrected candles on the topic, once there are so many."""

        async def told() -> list[CandleUpdated] | None:
            frames = await frames_after(self.redis, candles_topic(AAPL, "1m"), 0) or []
            found = [msgspec.json.decode(frame, type=Frame).data for _, frame in frames]
            corrected = [one for one in found if one.corrected]
            return corrected if len(corrected) == count else None

        found: list[CandleUpdated] = await until(told, 30)
        return found

    async def stored(self) -> Candle:
        await self.writer.stored()
        [one] = PostgresCandleStore(self.engine).page(AAPL, "1m", self.begin_ns, None, 1)
        return one.candle

    async def on_the_tape(self) -> list[Candle]:
        """Of the minute, as strategies are told of it."""
        entries = [
            raw.decode() for raw in await tape.read(self.redis, "0-0", count=5000, block_ms=1)
        ]
        return [
            candle
            for entry in entries
            if isinstance(entry, Candles)
            for candle in entry.candles
            if candle.start_ns == self.begin_ns and candle.timeframe == "1m"
        ]


@pytest.fixture
async def live(engine: Engine, redis: Redis, writer: CandleWriter) -> AsyncIterator[Live]:
    clock = Clock()
    calendars = {"AAPL": SessionCalendar.continuous()}
    candles = RunCandles(calendars)
    memory = CandleMemory()
    memory.begin("AAPL", candles)
    numbers = FrameNumbers(redis)
    await numbers.load(["AAPL"])
    lines = Lines(
        redis=redis,
        tape=TapeWriter(redis, 1000),
        pacer=tape.Pacer(redis, {}),
        frames=RunFrames(numbers, candles, 4),
        memory=memory,
        writer=writer,
        require_leadership=lambda: None,
    )
    marks = Marks("run", "live", lines, candles, paced=False, observer_lag=0)
    async with alpaca_server() as alpaca:
        runner = LiveRunner(
            [(AlpacaFeed(alpaca.url, KEY, SECRET), ["AAPL"])],
            marks,
            candles,
            grace_ns=0,
            late_grace_ns=LATE_GRACE_NS,
            amend=Amender(candles, memory, calendars).amend,
            wall_ns=clock.now_ns,
        )
        carrying = asyncio.create_task(runner.carry())
        await asyncio.wait_for(alpaca.subscribed.wait(), 30)
        yield Live(alpaca, engine, redis, writer, candles, memory, marks, clock)
        carrying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await carrying


async def test_a_late_print_a_cancel_and_a_correction_are_stored_and_shown_and_told_no_strategy(
    live: Live,
) -> None:
    await live.begin_minute()
    prices = enumerate((100.0, 150.0, 101.0), 1)
    said = [trade("AAPL", price, at(live.begin_ns + number), number) for number, price in prices]
    await live.alpaca.tell(*said)
    await live.taken(3)
    live.clock.go_to(live.begin_ns + MINUTE_NS)
    candle = await live.completed()
    assert (candle.high, candle.close, candle.volume) == (150.0, 101.0, 300)

    cancel = {"T": "x", "S": "AAPL", "i": 2, "x": "V", "p": 150, "s": 100, "a": "C"}
    late = trade("AAPL", 99.0, at(live.begin_ns + 10), 4)
    await live.alpaca.tell({**cancel, "t": at(live.clock.now_ns()), "z": "C"}, late, late)
    [told] = await live.corrected(1)
    assert told.complete
    values = (100.0, 101.0, 99.0, 99.0, 300)
    for one in (told.candle, await live.stored(), live.memory.last(AAPL, "1m", 1)[0].candle):
        assert (one.open, one.high, one.low, one.close, one.volume) == values
    day = live.candles.forming("AAPL", "1d")
    assert day is not None
    assert day.high == 101.0

    correction = {"T": "c", "S": "AAPL", "x": "V", "oi": 4, "op": 99.0, "os": 100, "oc": []}
    now = {"ci": 5, "cp": 98.0, "cs": 50, "cc": [], "z": "C"}
    await live.alpaca.tell({**correction, **now, "t": at(live.clock.now_ns())})
    await live.corrected(2)
    assert ((await live.stored()).close, (await live.stored()).volume) == (98.0, 250)
    assert [candle.high for candle in await live.on_the_tape()] == [150.0]
