"""What the vendor says too late or takes back, from its wire to the store and the topics."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
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
from tests.market_data_engine.vendors.alpaca import KEY, SECRET, alpaca_server, trade

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


async def test_a_late_print_a_cancel_and_a_correction_are_stored_and_shown_and_told_no_strategy(
    engine: Engine, redis: Redis, writer: CandleWriter
) -> None:
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

    async def corrected() -> list[CandleUpdated]:
        frames = await frames_after(redis, candles_topic(AAPL, "1m"), 0) or []
        told = [msgspec.json.decode(frame, type=Frame).data for _, frame in frames]
        return [one for one in told if one.corrected]

    async def stored() -> Candle:
        await writer.stored()
        [one] = PostgresCandleStore(engine).page(AAPL, "1m", begin_ns, None, 1)
        return one.candle

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

        async def begun() -> bool:
            return marks.now_ns is not None

        await until(begun, 30)
        begin_ns = clock.now_ns() // MINUTE_NS * MINUTE_NS + MINUTE_NS
        clock.go_to(begin_ns + 1_000_000_000)
        said = [
            trade("AAPL", price, at(begin_ns + index), index)
            for index, price in enumerate((100.0, 150.0, 101.0), 1)
        ]
        await alpaca.tell(*said)

        async def taken() -> bool:
            return marks.ticks == 3

        await until(taken, 30)
        clock.go_to(begin_ns + MINUTE_NS)

        async def complete() -> list[Candle]:
            return [one.candle for one in memory.last(AAPL, "1m", 9)]

        [candle] = await until(complete, 30)
        assert (candle.high, candle.close, candle.volume) == (150.0, 101.0, 300)

        cancel = {"T": "x", "S": "AAPL", "i": 2, "x": "V", "p": 150, "s": 100, "a": "C"}
        await alpaca.tell(
            {**cancel, "t": at(clock.now_ns()), "z": "C"},
            trade("AAPL", 99.0, at(begin_ns + 10), 4),
            trade("AAPL", 99.0, at(begin_ns + 10), 4),  # told twice
        )

        values = (100.0, 101.0, 99.0, 99.0, 300)

        async def last_corrected() -> CandleUpdated | None:
            """A mark may come between the cancel and the late print."""
            found = [one for one in await corrected() if one.candle.volume == 300]
            return found[-1] if found else None

        told = await until(last_corrected, 30)
        assert told.complete
        for one in (told.candle, await stored(), memory.last(AAPL, "1m", 1)[0].candle):
            assert (one.open, one.high, one.low, one.close, one.volume) == values
        assert candles.forming("AAPL", "1d") is not None
        assert candles.forming("AAPL", "1d").high == 101.0  # type: ignore[union-attr]

        correction = {"T": "c", "S": "AAPL", "x": "V", "oi": 4, "op": 99.0, "os": 100, "oc": []}
        now = {"ci": 5, "cp": 98.0, "cs": 50, "cc": [], "z": "C"}
        await alpaca.tell({**correction, **now, "t": at(clock.now_ns())})

        async def again() -> bool:
            return (await corrected())[-1].candle.volume == 250

        await until(again, 30)
        assert ((await stored()).close, (await stored()).volume) == (98.0, 250)

        carrying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await carrying
    entries = [raw.decode() for raw in await tape.read(redis, "0-0", count=5000, block_ms=1)]
    on_the_tape = [
        candle
        for entry in entries
        if isinstance(entry, Candles)
        for candle in entry.candles
        if candle.start_ns == begin_ns and candle.timeframe == "1m"
    ]
    assert [candle.high for candle in on_the_tape] == [150.0]
