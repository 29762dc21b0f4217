"""A run from its input to the tape, the store and the topics, with dummies that acknowledge."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import text

from market_data_engine.settings import MarketDataSettings
from shared.models.identifiers import TIMEFRAMES
from shared.models.market import Candles, Quotes, RunEnded, RunStarted, TapeEntry, TimeMark, Trades
from shared.redis import tape
from shared.redis.keys import LAST_PRICES, TAPE
from shared.redis.streams import read_range
from shared.redis.topics import frames_after
from tests.market_data_engine.conftest import (
    Engine,
    Participant,
    csv,
    running_engine,
    taking_part,
    until,
)

MINUTE_NS = 60_000_000_000
#: Monday 5 January 2026, 14:30 UTC, on the minute.
START = "2026-01-05T14:30:00Z"
SMALL: dict[str, Any] = {
    "symbols": ["SIM-TREND", "SIM-RANGE"],
    "start": START,
    "minutes": 20,
    "trades_per_minute": 30,
    "seed": 5,
}


def shape(entries: list[tuple[str, TapeEntry]]) -> list[str]:
    """The kinds of entries in order, a letter each."""
    letters = {Trades: "t", Quotes: "q", Candles: "c", RunStarted: "<", RunEnded: ">"}
    return [
        letters.get(type(entry)) or ("M" if getattr(entry, "phase", "") == "market" else "S")
        for _, entry in entries
    ]


async def test_a_replay_of_trades_and_quotes_puts_both_on_the_tape_in_the_order_of_time(
    running: Engine, orders: Participant
) -> None:
    quotes = (
        b"timestamp,symbol,bid,bid_size,ask,ask_size\n"
        b"2026-01-05T14:30:01Z,SPY,10,100,10.02,200\n2026-01-05T14:30:03Z,SPY,0,0,10.01,50\n"
        b"2026-01-05T14:31:30Z,SPY,9,100,10.01,50\n"
    )
    trades = csv("2026-01-05T14:30:01Z,SPY,10,1", "2026-01-05T14:30:02Z,SPY,10.01,1")
    files = [await running.upload("q.csv", quotes), await running.upload("t.csv", trades)]
    replay = await running.ended(await running.start(files=files))
    assert replay["status"] == "finished", replay["error"]
    assert replay["ticks"] == replay["total_ticks"] == 2
    assert shape(orders.entries) == ["<", "q", "t", "q", "c", "M", "S", "q", *"MS", ">"]
    told = [entry for _, entry in orders.entries if isinstance(entry, Quotes)]
    assert [(each.bid, each.ask, each.ask_size) for each in told] == [
        ([10.0], [10.02], [200.0]),
        ([10.0], [10.01], [50.0]),
        ([9.0], [10.01], [50.0]),
    ]


async def test_the_tape_holds_prints_candles_and_marks_in_their_order(
    running: Engine, orders: Participant
) -> None:
    replay = await running.ended(await running.start(synthetic=SMALL))
    assert replay["status"] == "finished"
    assert replay["ticks"] == replay["total_ticks"] == 2 * 20 * 30
    assert shape(orders.entries) == ["<", *["t", "c", "M", "S"] * 20, ">"]

    before_ns = 0
    number = 0
    trades: Trades | None = None
    candles: Candles | None = None
    for _, entry in orders.entries:
        match entry:
            case RunStarted():
                assert (entry.run_id, entry.source, entry.paced) == (
                    replay["id"],
                    "synthetic",
                    True,
                )
            case Trades():
                trades = entry
            case Candles():
                candles = entry
            case TimeMark(phase="market"):
                number += 1
                assert entry.number == number
                assert trades is not None
                assert before_ns <= trades.at_ns[0]
                assert trades.at_ns[-1] < entry.at_ns
                assert candles is not None
                assert {candle.end_ns for candle in candles.candles} == {entry.at_ns}
                before_ns = entry.at_ns
            case TimeMark(phase="strategy"):
                assert (entry.number, entry.at_ns) == (number, before_ns)
            case RunEnded():
                assert entry.run_id == replay["id"]


async def test_candles_complete_when_their_end_comes_small_timeframes_first(
    running: Engine, orders: Participant
) -> None:
    await running.ended(await running.start(synthetic={**SMALL, "symbols": ["SIM-TREND"]}))
    completed = [entry.candles for entry in orders.of(Candles)]
    # 14:30 to 14:45 in minutes; three and five minutes count from midnight, as 24/7 markets do.
    assert [[candle.timeframe for candle in candles] for candles in completed[:6]] == [
        ["1m"],
        ["1m"],
        ["1m", "3m"],
        ["1m"],
        ["1m", "5m"],
        ["1m", "3m"],
    ]
    assert [candle.timeframe for candle in completed[14]] == ["1m", "3m", "5m", "15m"]


async def test_no_volume_is_lost_on_the_way_from_prints_to_stored_candles(
    running: Engine, orders: Participant, engine: Database
) -> None:
    await running.ended(await running.start(synthetic=SMALL))
    volume: Counter[str] = Counter()
    prints: Counter[str] = Counter()
    for trades in orders.of(Trades):
        for index, size in zip(trades.symbol_index, trades.size, strict=True):
            volume[trades.symbols[index]] += size
            prints[trades.symbols[index]] += 1
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT symbol, timeframe, sum(volume) AS volume, sum(trades) AS trades"
                " FROM candles WHERE timeframe IN ('1m', '5m') GROUP BY symbol, timeframe"
            )
        ).all()
    assert len(rows) == 4
    for row in rows:
        assert (row.volume, row.trades) == (volume[row.symbol], prints[row.symbol])
    # What has no end yet is still to be read.
    for timeframe in ("1h", "1d", "1w"):
        answer = await running.http.get(f"/internal/candles/SIM-TREND?timeframe={timeframe}")
        (forming,) = answer.json()["items"]
        assert forming["complete"] is False
        assert forming["volume"] == volume["SIM-TREND"]


async def test_the_same_input_makes_the_same_tape_to_the_byte(
    running: Engine, orders: Participant, redis: Redis
) -> None:
    tapes = []
    for _ in range(2):
        await redis.delete(TAPE)
        run_id = await running.start(synthetic=SMALL)
        await running.ended(run_id)
        entries = await read_range(redis, TAPE)
        tapes.append([entry.fields[b"b"].replace(run_id.encode(), b"run") for entry in entries])
        assert len(tapes[-1]) > 60
    assert tapes[0] == tapes[1]


async def test_a_run_waits_for_whoever_is_slow_and_loses_nothing(
    running: Engine, orders: Participant, redis: Redis
) -> None:
    async with taking_part(redis, ["deployment:a"], "strategy") as worker:
        run_id = await running.start(synthetic=SMALL)

        async def some_marks() -> bool:
            return len(orders.of(TimeMark)) >= 6

        await until(some_marks)
        worker.awake.clear()
        stood: list[int] = []

        async def stands_still() -> bool:
            stood.append((await running.replay(run_id))["ticks"])
            return len(stood) > 30 and len(set(stood[-20:])) == 1

        await until(stands_still)
        replay = await running.replay(run_id)
        assert replay["status"] == "running"
        assert replay["ticks"] < replay["total_ticks"]
        worker.awake.set()
        replay = await running.ended(run_id)
        assert (replay["status"], replay["ticks"]) == ("finished", 1200)

        async def all_read() -> bool:
            return bool(worker.of(RunEnded))

        await until(all_read)
        assert sum(len(trades.at_ns) for trades in worker.of(Trades)) == 1200


async def test_a_run_waits_for_an_order_shard_that_has_not_come_yet(
    running: Engine, redis: Redis
) -> None:
    run_id = await running.start(synthetic=SMALL)
    async with taking_part(redis, ["orders:0"], "market") as first:

        async def first_mark() -> bool:
            return bool(first.of(TimeMark))

        await until(first_mark)
        assert [mark.number for mark in first.of(TimeMark)] == [1]
        assert (await running.replay(run_id))["status"] == "running"
        async with taking_part(redis, ["orders:1"], "market"):
            assert (await running.ended(run_id))["status"] == "finished"


async def test_an_observer_may_lag_by_so_many_marks_and_no_more(
    engine_settings: MarketDataSettings, redis: Redis, orders: Participant
) -> None:
    lag = engine_settings.model_copy(update={"observer_lag_marks": 4})
    async with running_engine(lag, redis) as running:
        await running.leading()
        await tape.join(redis, "client:x", "observe")
        run_id = await running.start(synthetic=SMALL)
        highest: list[int] = []

        async def stands_still() -> bool:
            highest.append(max((mark.number for mark in orders.of(TimeMark)), default=0))
            return len(highest) > 60 and highest[-1] == highest[-50] > 0

        await until(stands_still)
        assert highest[-1] <= 5
        await tape.acknowledge_observed(redis, "client:x", 2)
        await until(stands_still)
        assert highest[-1] <= 7
        await tape.leave(redis, "client:x")
        assert (await running.ended(run_id))["status"] == "finished"


async def test_frames_number_their_topic_without_gaps_across_runs(
    running: Engine, orders: Participant, redis: Redis
) -> None:
    for _ in range(2):
        await running.ended(await running.start(synthetic=SMALL))
    for timeframe in TIMEFRAMES:
        topic = f"candles.SIM-TREND.{timeframe}"
        frames = await frames_after(redis, topic, 0)
        assert frames
        assert [seq for seq, _ in frames] == list(range(1, len(frames) + 1))
    decoded = [
        msgspec.json.decode(frame) for _, frame in await frames_after(redis, "time", 0) or ()
    ]
    assert [frame["data"]["number"] for frame in decoded] == [*range(1, 21), *range(1, 21)]
    minute = await frames_after(redis, "candles.SIM-TREND.1m", 0) or []
    complete = [
        frame["data"]["candle"]["start_ns"]
        for _, raw in minute
        if (frame := msgspec.json.decode(raw))["data"]["complete"]
    ]
    assert len(complete) == 40
    assert complete[:20] == complete[20:]


async def test_last_prices_are_those_of_the_last_prints(
    running: Engine, orders: Participant, redis: Redis
) -> None:
    await running.ended(await running.start(synthetic=SMALL))
    last = {
        trades.symbols[index]: price
        for trades in orders.of(Trades)
        for index, price in zip(trades.symbol_index, trades.price, strict=True)
    }
    answer = await running.http.get("/internal/last-prices")
    assert answer.json() == {"prices": {symbol: repr(price) for symbol, price in last.items()}}
    assert await redis.hget(LAST_PRICES, "SIM-TREND") == repr(last["SIM-TREND"]).encode()


async def test_time_jumps_over_what_is_empty_but_not_over_the_end_of_a_candle(
    running: Engine, orders: Participant
) -> None:
    """Two prints, ten years apart, make some ten marks and not five million."""
    file_id = await running.upload(
        "gap.csv", csv("2014-01-06T15:00:30Z,GAPPY,10,1", "2024-01-08T15:00:30Z,GAPPY,20,2")
    )
    replay = await running.ended(await running.start(files=[file_id]))
    assert replay["status"] == "finished", replay
    marks = [mark for mark in orders.of(TimeMark) if mark.phase == "market"]
    assert len(marks) == 10
    ends = {candle.end_ns for entry in orders.of(Candles) for candle in entry.candles}
    assert {mark.at_ns for mark in marks} == ends
    assert replay["market_time"] == "2024-01-08T15:01:00Z"
    completed = [candle for entry in orders.of(Candles) for candle in entry.candles]
    assert [candle.timeframe for candle in completed] == [*TIMEFRAMES, "1m"]


async def test_files_are_replayed_merged_by_time(
    running: Engine, orders: Participant, market_data_folder: Path
) -> None:
    ids = []
    for name in ("IBM", "BAC"):
        path = market_data_folder / "trades" / f"{name}_20131007.csv.gz"
        ids.append(await running.upload(path.name, path.read_bytes()))
    replay = await running.ended(await running.start(files=ids), timeout_s=60)
    assert replay["status"] == "finished"
    assert replay["ticks"] == replay["total_ticks"] == 24_293 + 88_172
    # The vendor's own minute bars of that day: 453 of IBM, 595 of BAC.
    assert replay["candles"]["1m"] == 453 + 595
    assert replay["candles"]["1d"] == replay["candles"]["1w"] == 2
    assert list(replay["candles"]) == list(TIMEFRAMES)
    at_ns = [at for trades in orders.of(Trades) for at in trades.at_ns]
    assert at_ns == sorted(at_ns)


async def test_a_paced_run_keeps_the_tape_short(
    engine_settings: MarketDataSettings, redis: Redis, orders: Participant
) -> None:
    async with running_engine(engine_settings, redis) as running:
        await running.leading()
        settings = {**SMALL, "minutes": 600, "trades_per_minute": 1}
        await running.ended(await running.start(synthetic=settings))
        # 600 minutes make 2400 entries and more.
        assert await redis.xlen(TAPE) < 800


async def test_speed_is_seconds_of_market_time_a_second(
    running: Engine, orders: Participant
) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    settings = {**SMALL, "minutes": 2, "trades_per_minute": 600}
    replay = await running.ended(await running.start(synthetic=settings, speed=100))
    # 120 seconds, but the clock starts with the first mark, which ends the first minute.
    assert 0.6 <= loop.time() - started_s < 10
    assert replay["status"] == "finished"


async def test_at_a_human_speed_time_moves_each_second_also_without_prints(
    running: Engine, orders: Participant
) -> None:
    file_id = await running.upload(
        "quiet.csv", csv("2024-01-08T15:00:05Z,QUIET,10,1", "2024-01-08T15:00:55Z,QUIET,20,2")
    )
    replay = await running.ended(await running.start(files=[file_id], speed=20))
    assert replay["status"] == "finished"
    marks = [mark.at_ns // 1_000_000_000 % 3600 for mark in orders.of(TimeMark)][::2]
    assert marks == [20, 40, 60]
    assert len(orders.of(Trades)) == 2
    assert [candle.trades for candle in orders.of(Candles)[0].candles] == [2]


@pytest.mark.parametrize("speed", ["max", 0.5])
async def test_a_stopped_run_ends_at_once_and_leaves_its_candles_readable(
    running: Engine, orders: Participant, speed: str | float, redis: Redis
) -> None:
    settings = {**SMALL, "minutes": 10_000}
    run_id = await running.start(synthetic=settings, speed=speed)

    async def begun() -> bool:
        return bool(orders.of(TimeMark))

    await until(begun)
    answer = await running.http.post(f"/internal/replays/{run_id}/stop")
    assert answer.status_code == 200
    replay = answer.json()
    assert replay["status"] == "stopped"
    assert replay["error"] is None
    assert 0 < replay["ticks"] < replay["total_ticks"]
    assert replay["finished_at"] is not None

    async def told() -> bool:
        return bool(orders.of(RunEnded))

    await until(told)
    assert sum(len(trades.at_ns) for trades in orders.of(Trades)) == replay["ticks"]
    symbol = orders.of(Trades)[0].symbols[0]
    week = (await running.http.get(f"/internal/candles/{symbol}?timeframe=1w")).json()["items"]
    assert week[-1]["complete"] is False
    again = await running.http.post(f"/internal/replays/{run_id}/stop")
    assert again.json() == replay
    # And the next one starts.
    assert (await running.ended(await running.start(synthetic=SMALL)))["status"] == "finished"


async def test_a_run_that_is_stopped_many_times_at_once_ends_once(
    running: Engine, orders: Participant
) -> None:
    for _ in range(3):
        run_id = await running.start(synthetic={**SMALL, "minutes": 10_000})

        async def begun(run_id: str = run_id) -> bool:
            return any(mark.run_id == run_id for mark in orders.of(TimeMark))

        await until(begun)
        replays = running.parts.replays
        stops = [asyncio.create_task(replays.stop(UUID(run_id)))]
        while not all(stop.done() for stop in stops):
            await asyncio.sleep(0)  # one more each time something has gone on
            if len(stops) < 200:
                stops.append(asyncio.create_task(replays.stop(UUID(run_id))))
        assert (await running.replay(run_id))["status"] == "stopped"
    ended = [entry.run_id for entry in orders.of(RunEnded)]
    assert len(ended) == len(set(ended))


async def test_a_run_whose_tape_redis_has_lost_fails_instead_of_waiting_for_ever(
    running: Engine, redis: Redis
) -> None:
    async with taking_part(redis, ["orders:0", "orders:1"], "market") as orders:
        run_id = await running.start(synthetic={**SMALL, "minutes": 10_000})

        async def some() -> bool:
            return len(orders.of(TimeMark)) > 20

        await until(some)
        orders.awake.clear()
        await redis.flushall()
        orders.awake.set()
        replay = await running.ended(run_id)
    assert (replay["status"], replay["error"]) == ("failed", "Redis has lost the run's data.")


async def test_a_run_does_not_wait_for_order_shards_that_there_are_no_more(
    running: Engine, redis: Redis, orders: Participant
) -> None:
    await tape.join_all(redis, ["orders:2", "orders:17"], "market")
    replay = await running.ended(await running.start(synthetic=SMALL))
    assert replay["status"] == "finished"


async def test_an_acknowledgement_of_the_stopped_run_does_not_let_the_next_one_slip(
    running: Engine, redis: Redis
) -> None:
    async with taking_part(redis, ["orders:0", "orders:1"], "market") as slow:
        first = await running.start(synthetic={**SMALL, "minutes": 10_000})

        async def some() -> bool:
            return len(slow.of(TimeMark)) > 20

        await until(some)
        slow.awake.clear()
        await running.http.post(f"/internal/replays/{first}/stop")
        second = await running.start(synthetic=SMALL)
        slow.awake.set()
        assert (await running.ended(second))["status"] == "finished"

        async def all_read() -> bool:
            return len(slow.of(RunEnded)) == 2

        await until(all_read)
        started = next(
            index
            for index, (_, entry) in enumerate(slow.entries)
            if isinstance(entry, RunStarted) and entry.run_id == second
        )
        assert shape(slow.entries[started:]) == ["<", *["t", "c", "M", "S"] * 20, ">"]
