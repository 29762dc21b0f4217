"""A live run that goes on with the candles of the one before: as if nothing had happened."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine

from market_data_engine.feeds.events import Print
from market_data_engine.history.memory import CandleMemory
from market_data_engine.live.amender import Amender
from market_data_engine.live.arrivals import Arrivals
from market_data_engine.live.resumption import Resumed, Resumption, live_tail
from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.stored import StoredCandle
from market_data_engine.store.writer import CandleWriter
from shared.candles.calendar import SessionCalendar
from shared.database import DatabaseThread
from shared.models.identifiers import Symbol
from shared.models.market import Candle, Candles, RunEnded, RunStarted, TimeMark, Trades
from shared.redis import tape
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice

ABC, XYZ = Symbol("ABC"), Symbol("XYZ")
MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


#: Thursday, Friday and the Monday after, each from 14:30 to 18:00.
DAYS = ("2026-01-08", "2026-01-09", "2026-01-12")
SESSIONS = SessionCalendar(
    [ns(f"{day}T14:30") for day in DAYS],
    [ns(f"{day}T18:00") for day in DAYS],
    [date.fromisoformat(day) for day in DAYS],
)
CALENDARS = {ABC: SESSIONS, XYZ: SessionCalendar.continuous()}


@pytest.fixture
async def writer(engine: Engine, tmp_path: Path) -> AsyncIterator[CandleWriter]:
    thread = DatabaseThread("store")
    writer = CandleWriter(PostgresCandleStore(engine), thread, tmp_path / "candles", 100_000)
    await writer.take_over()
    async with writer.running():
        yield writer
    thread.close()


def slices(from_ns: int, until_ns: int, step_ns: int, seed: int) -> list[Slice]:
    """Prints of whole prices and sizes, so that no sum depends on its order."""
    random = Random(seed)
    made = []
    for begin_ns in range(from_ns, until_ns, step_ns):
        times = sorted(random.randrange(begin_ns, begin_ns + step_ns) for _ in range(6))
        index = [0, 1, *(random.randrange(2) for _ in times[2:])]
        price = [float(random.randrange(90, 110)) for _ in times]
        trades = Trades(
            symbols=[ABC, XYZ],
            symbol_index=index,
            at_ns=times,
            price=price,
            size=[float(random.randrange(1, 9)) for _ in times],
        )
        made.append(Slice(trades, begin_ns + step_ns))
    return made


async def carried(
    redis: Redis,
    writer: CandleWriter,
    run: RunCandles,
    market: Sequence[Slice],
    *,
    decided: bool = True,
) -> tuple[list[Candle], list[Candle]]:
    """As an engine does it: stored first, then on the tape. What was told, and what wasn't."""
    told: list[Candle] = []
    untold: list[Candle] = []
    for number, piece in enumerate(market):
        completed = run.add(piece)
        await writer.put([StoredCandle(one, "live", "complete", one.end_ns) for one in completed])
        mark = TimeMark(number=number, at_ns=piece.mark_ns, phase="market", paced=False)
        said = [Candles(candles=completed)] if completed else []
        await tape.append(redis, [piece.trades, *said, mark])
        if decided or piece is not market[-1]:
            await tape.append(redis, [msgspec.structs.replace(mark, phase="strategy")])
            told += completed
        else:
            untold = completed
    return told, untold


def rounded(candles: Sequence[Candle]) -> list[tuple[object, ...]]:
    return sorted(
        (one.symbol, one.timeframe, one.start_ns, one.end_ns, one.open, one.high, one.low,
         one.close, one.volume, round(one.vwap, 6), one.trades)
        for one in candles
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dies", "unmarked", "decided"),
    [
        ("2026-01-09T16:47:20", True, True),  # within a minute, prints after the last mark
        ("2026-01-09T16:45:00", False, True),  # when candles have just been completed
        ("2026-01-09T17:00:00", False, False),  # stored and on the tape, but nobody was told
        ("2026-01-09T18:00:00", False, True),  # at the close: the week's candle is whole
        ("2026-01-09T18:10:20", False, True),  # after the close
    ],
)
async def test_an_engine_that_takes_over_completes_the_very_candles_that_the_dead_one_would_have(
    engine: Engine,
    redis: Redis,
    writer: CandleWriter,
    dies: str,
    *,
    unmarked: bool,
    decided: bool,
) -> None:
    begins_ns, dies_ns = ns("2026-01-08T14:30"), ns(dies)
    first_day = slices(begins_ns, ns("2026-01-08T15:00"), 4 * MINUTE_NS, 1)
    last_hours = slices(ns("2026-01-09T14:30"), dies_ns - 20_000_000_000, 20_000_000_000, 2)
    last = slices(dies_ns - 20_000_000_000, dies_ns, 20_000_000_000, 3)
    before = [*first_day, *last_hours[::7], *last_hours[-12:], *last]
    before = sorted(
        {piece.mark_ns: piece for piece in before}.values(), key=lambda one: one.mark_ns
    )
    after = slices(dies_ns, dies_ns + 3 * HOUR_NS, 10 * MINUTE_NS, 4)
    after += slices(ns("2026-01-12T14:30"), ns("2026-01-12T14:50"), MINUTE_NS, 5)

    whole = RunCandles(CALENDARS)
    told, untold = await carried(redis, writer, whole, before, decided=decided)
    assert bool(untold) is not decided
    if unmarked:
        lost = slices(dies_ns, dies_ns + 1_000_000_000, 1_000_000_000, 9)
        await tape.append(redis, [lost[0].trades])
        whole.take(lost[0])
        after = [piece for piece in after if piece.first_ns > dies_ns + 1_000_000_000]

    store, memory = PostgresCandleStore(engine), CandleMemory()
    resumed = RunCandles(CALENDARS)
    left = await Resumption(redis, store, writer, memory).resume(
        resumed, CALENDARS, dies_ns + 5_000_000_000
    )
    completed = left.completed
    assert rounded([one for one in map(whole.forming, [ABC, XYZ], ["1w", "1w"]) if one]) == (
        rounded([one for one in map(resumed.forming, [ABC, XYZ], ["1w", "1w"]) if one])
    )
    expected = untold
    for piece in after:
        expected += whole.add(piece)
        completed += resumed.add(piece)
    assert rounded(completed) == rounded(expected)
    assert {one.timeframe for one in completed} >= {"1m", "3m", "5m", "1h", "1d", "1w"}
    known = {(one.symbol, one.timeframe, one.start_ns) for one in told}
    assert not known & {(one.symbol, one.timeframe, one.start_ns) for one in completed}


async def test_a_late_print_of_the_minute_of_the_restart_leaves_its_first_half_in(
    engine: Engine, redis: Redis, writer: CandleWriter
) -> None:
    dies_ns = ns("2026-01-09T16:45:40")
    market = slices(dies_ns - 40_000_000_000, dies_ns, 10_000_000_000, 2)
    whole, run = RunCandles(CALENDARS), RunCandles(CALENDARS)
    await carried(redis, writer, whole, market)
    memory = CandleMemory()
    resumption = Resumption(redis, PostgresCandleStore(engine), writer, memory)
    resumed = await resumption.resume(run, CALENDARS, dies_ns + 5_000_000_000)

    arrivals = Arrivals(CALENDARS, MINUTE_NS, resumed.prints)
    arrivals.take(dies_ns + 5_000_000_000, mark=True)
    late = Print(XYZ, dies_ns + 6_000_000_000, 200.0, 1.0, "L")
    arrivals.take(dies_ns + 8_000_000_000, mark=True)
    run.advance(dies_ns + 8_000_000_000)
    assert arrivals.add(late, dies_ns + 8_000_000_000) == "amending"
    Amender(run, memory, CALENDARS).amend(arrivals.recent, arrivals.touched())

    whole.take(Slice(Trades([XYZ], [0], [late.at_ns], [200.0], [1.0]), dies_ns + 8_000_000_000))
    made, wanted = run.forming(XYZ, "1m"), whole.forming(XYZ, "1m")
    assert made is not None
    assert wanted is not None
    assert rounded([made]) == rounded([wanted])
    assert made.trades > 1


async def test_without_a_tape_a_run_goes_on_from_the_last_minute_in_the_store(
    engine: Engine, redis: Redis, writer: CandleWriter
) -> None:
    dies_ns = ns("2026-01-09T16:45:00")
    whole = RunCandles(CALENDARS)
    await carried(redis, writer, whole, slices(dies_ns - HOUR_NS, dies_ns, MINUTE_NS, 2))
    await redis.flushall()
    resumed = RunCandles(CALENDARS)
    resumption = Resumption(redis, PostgresCandleStore(engine), writer, CandleMemory())
    assert await resumption.resume(resumed, CALENDARS, dies_ns + HOUR_NS) == Resumed()
    for symbol in (ABC, XYZ):
        forming = whole.forming(symbol, "1d")
        again = resumed.forming(symbol, "1d")
        assert forming is not None
        assert again is not None
        assert rounded([again]) == rounded([forming])
        assert resumed.last_prices[symbol] == again.close


async def test_what_was_left_long_ago_and_a_market_that_is_new_begin_with_nothing(
    engine: Engine, redis: Redis, writer: CandleWriter
) -> None:
    resumption = Resumption(redis, PostgresCandleStore(engine), writer, CandleMemory())
    resumed = RunCandles(CALENDARS)
    dies_ns = ns("2026-01-09T16:45:00")
    assert await resumption.resume(resumed, CALENDARS, dies_ns) == Resumed()
    run = RunCandles(CALENDARS)
    await carried(redis, writer, run, slices(dies_ns - HOUR_NS, dies_ns, MINUTE_NS, 2))
    long_after_ns = dies_ns + 20 * 24 * HOUR_NS
    assert await resumption.resume(resumed, CALENDARS, long_after_ns) == Resumed()
    assert resumed.last_prices == {}


async def test_a_tape_that_ends_with_a_paced_run_says_nothing_of_a_live_one(redis: Redis) -> None:
    mark = TimeMark(number=1, at_ns=MINUTE_NS, phase="strategy", paced=False)
    await tape.append(redis, [mark])
    tail = await live_tail(redis)
    assert tail is not None
    assert (tail.mark_ns, tail.pieces) == (MINUTE_NS, [])
    paced = TimeMark(number=1, at_ns=MINUTE_NS, phase="strategy", paced=True)
    await tape.append(redis, [paced])
    assert await live_tail(redis) is None


def trades(at_ns: int) -> Trades:
    return Trades(symbols=[XYZ], symbol_index=[0], at_ns=[at_ns], price=[100.0], size=[1.0])


async def test_a_live_run_that_a_replay_stands_before_is_gone_on_with(redis: Redis) -> None:
    """Of the replay, whose times may be any, nothing is taken."""
    live = RunStarted(run_id="live", source="live", paced=False)
    replay = RunStarted(run_id="replay", source="replay", paced=True)
    mark = TimeMark(number=1, at_ns=2 * MINUTE_NS, phase="strategy", paced=False)
    paced = TimeMark(number=1, at_ns=2 * MINUTE_NS, phase="strategy", paced=True)
    at_ns = [2 * MINUTE_NS + second for second in range(5)]
    await tape.append(
        redis,
        [
            replay, trades(at_ns[0]), paced, trades(at_ns[1]), RunEnded(run_id="replay"),
            live, trades(at_ns[2]), mark,
            # Stood still and begun again, within the minute.
            live, trades(at_ns[3]), mark, trades(at_ns[4]),
        ],
    )  # fmt: skip
    tail = await live_tail(redis)
    assert tail is not None
    assert tail.mark_ns == mark.at_ns
    assert [piece.first_ns for piece in tail.pieces] == at_ns[2:]


async def test_a_live_run_that_came_to_no_mark_left_nothing_after_a_replay(redis: Redis) -> None:
    replay = RunStarted(run_id="replay", source="replay", paced=True)
    live = RunStarted(run_id="live", source="live", paced=False)
    await tape.append(redis, [replay, trades(1), live, trades(2)])
    assert await live_tail(redis) is None
