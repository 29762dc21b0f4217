"""Healed candles come to those who follow them, in order with all else on their topics."""

from itertools import pairwise

import msgspec
from redis.asyncio import Redis

from market_data_engine.history.corrections import Corrections
from market_data_engine.history.memory import CandleMemory
from market_data_engine.replays.frames import FrameNumbers, RunFrames
from market_data_engine.replays.marks import Lines, Marks
from market_data_engine.store.stored import StoredCandle
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import MINUTE_NS
from shared.models.market import Candle, CandleUpdated
from shared.models.topics import candles_topic
from shared.redis import tape
from shared.redis.tape_writer import TapeWriter
from shared.redis.topics import frames_after
from shared.replays.candles import RunCandles
from tests.market_data_engine.store.test_contract import candle

SYMBOL = candle(0).symbol
BEGIN_NS = candle(0).start_ns


class Frame(msgspec.Struct):
    seq: int
    data: CandleUpdated


class Kept:
    """The candle writer's edge; what it does has tests of its own."""

    def __init__(self) -> None:
        self.candles: list[StoredCandle] = []

    async def put(self, candles: list[StoredCandle]) -> None:
        self.candles += candles


async def shown(redis: Redis) -> list[Frame]:
    frames = await frames_after(redis, candles_topic(SYMBOL, "1m"), 0) or []
    return [msgspec.json.decode(frame, type=Frame) for _, frame in frames]


def healed(one: Candle) -> StoredCandle:
    return StoredCandle(one, "alpaca", "healed", one.end_ns + 2 * MINUTE_NS)


async def test_without_a_run_healed_candles_are_shown_at_once(redis: Redis) -> None:
    corrections = Corrections(redis, FrameNumbers(redis), CandleMemory(), lambda: None)
    await corrections.tell([candle(2), candle(1)])
    await corrections.tell([candle(number) for number in range(600)])
    frames = await shown(redis)
    assert [frame.data.candle.start_ns for frame in frames[:2]] == [
        candle(1).start_ns, candle(2).start_ns,
    ]  # fmt: skip
    assert all(frame.data.complete and frame.data.corrected for frame in frames)
    assert all(one.seq + 1 == other.seq for one, other in pairwise(frames))
    assert len(frames) == 2 + 500  # no more than a snapshot has
    assert corrections.take() == []


async def test_a_run_shows_what_was_healed_with_its_next_mark_and_nothing_of_its_future(
    redis: Redis,
) -> None:
    candles = RunCandles({SYMBOL: SessionCalendar.continuous()})
    memory, numbers, kept = CandleMemory(), FrameNumbers(redis), Kept()
    memory.begin(SYMBOL, candles)
    await numbers.load([SYMBOL])
    corrections = Corrections(redis, numbers, memory, lambda: None)
    lines = Lines(
        redis=redis,
        tape=TapeWriter(redis, 1000),
        pacer=tape.Pacer(redis, {}),
        frames=RunFrames(numbers, candles, 4),
        memory=memory,
        writer=kept,  # type: ignore[arg-type]
        require_leadership=lambda: None,
        healed=corrections.take,
    )
    marks = Marks("run", "live", lines, candles, paced=False, observer_lag=0)
    await marks.begin()
    await marks.mark(BEGIN_NS + 4 * MINUTE_NS, candles.advance(BEGIN_NS + 4 * MINUTE_NS))
    await corrections.tell([candle(1), candle(2), candle(7)])
    assert await shown(redis) == []
    await marks.mark(BEGIN_NS + 5 * MINUTE_NS, [candle(4)])
    told = [(one.data.candle.start_ns, one.data.corrected) for one in await shown(redis)]
    assert told == [
        (candle(4).start_ns, False), (candle(1).start_ns, True), (candle(2).start_ns, True),
    ]  # fmt: skip

    # What a provider has told of while the run was held up is completed as it was told.
    better = healed(msgspec.structs.replace(candle(5), volume=7e6))
    memory.healed.note([better])
    memory.begin(SYMBOL, candles)  # also where it goes on after a restart
    await marks.mark(BEGIN_NS + 6 * MINUTE_NS, [candle(5)])
    assert (await shown(redis))[-1].data.candle.volume == 7e6
    assert kept.candles[-1] == better
    assert memory.last(SYMBOL, "1m", 1) == [better]

    # The feed is away: what is healed after the run's last candle is among the last ones, too.
    candles.advance(BEGIN_NS + 20 * MINUTE_NS)
    memory.heal([healed(candle(number)) for number in (10, 11, 30)])
    assert [one.candle.start_ns for one in memory.last(SYMBOL, "1m", 2)] == [
        candle(10).start_ns, candle(11).start_ns,
    ]  # fmt: skip
