"""Jobs from the stream: taken once, read again after a death, poison put aside."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from cli.embedded.servers import free_port
from market_data_engine.backfill.actions import DataJobs
from market_data_engine.backfill.intake import GROUP, JobIntake, dead_orders
from market_data_engine.backfill.queue import JobQueue
from shared.candles.calendar import SessionCalendar
from shared.config import Settings
from shared.database import DatabaseThread, make_engine
from shared.models.base import encode
from shared.models.data_jobs import FetchCandles
from shared.redis.keys import DATA_JOBS

NOW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WANTED = FetchCandles(
    kind="backfill",
    symbols=["BTC"],
    start=NOW - timedelta(hours=3),
    end=NOW - timedelta(hours=2),
    requested_by="scheduler",
    tier="T0",
)
CONTINUOUS = SessionCalendar.continuous()
GOLDEN = (
    b'{"type":"fetch_candles","version":1,"kind":"bars_fetch","symbols":["SPY"],'
    b'"start":"2026-03-19T13:30:00Z","end":"2026-03-19T20:00:00Z","requested_by":"me"}'
)


@dataclass
class World:
    queue: JobQueue
    jobs: DataJobs
    redis: Redis

    def intake(self, name: str = "one", **more: Any) -> JobIntake:
        return JobIntake(self.redis, self.jobs, name, leads=lambda: True, **more)

    async def put(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.redis.xadd(DATA_JOBS, {"b": body})

    async def rows(self) -> list[tuple[str, str]]:
        items = (await self.queue.listed(None, None, None, 100)).items
        return sorted((job.kind, job.symbol) for job in items)

    async def left(self) -> int:
        return int(await self.redis.xlen(DATA_JOBS))

    async def dead(self) -> list[str]:
        """Reasons."""
        return [one.reason for one in (await dead_orders(self.redis, None, 100)).items]


@pytest.fixture
async def world(engine: Engine, redis: Redis) -> AsyncIterator[World]:
    thread = DatabaseThread("tests-jobs")
    queue = JobQueue(engine, thread, {"T0": 1, "T1": 9, "T2": 9})
    yield World(queue, DataJobs(queue, calendar_of, able=True), redis)
    thread.close()


def calendar_of(symbol: str) -> SessionCalendar:
    if symbol == "ODD":
        raise ValueError(symbol)
    return {"BTC": CONTINUOUS, "SPY": CONTINUOUS}[symbol]


async def test_what_is_asked_for_becomes_rows_and_leaves_the_stream(world: World) -> None:
    await world.put(encode(WANTED), GOLDEN)
    intake = world.intake()
    assert not intake.fed_within("T0", 60)
    assert await intake.take()
    assert await world.rows() == [("backfill", "BTC"), ("bars_fetch", "SPY")]
    assert await world.left() == 0
    # While programs ask for a tier the sweeper leaves it to them.
    assert intake.fed_within("T0", 60)
    assert not intake.fed_within("T1", 60)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "can't be read"),
        (b"[" * 100_000, "can't be read"),
        (b'{"type":"place_order"}', "can't be read"),
        (GOLDEN.replace(b"bars_fetch", b"fold"), "can't be read"),
        (GOLDEN.replace(b'["SPY"]', b"[]"), "symbols: "),
        (GOLDEN.replace(b"2026-03-19T13:30:00Z", b"2026-03-19T13:30:00"), "start: "),
        (GOLDEN.replace(b"SPY", b"NOBODY"), "NOBODY is in no catalogue"),
        (GOLDEN.replace(b"2026-03-19T20", b"2190-03-19T20"), "end not in the future"),
        (GOLDEN.replace(b'["SPY"]', b'["SPY","SPY"]'), "named twice"),
    ],
    ids=["cut", "deep", "other", "kind", "none", "zone", "unknown", "future", "twice"],
)
async def test_poison_goes_to_the_dead_letters_with_its_reason_and_others_go_on(
    world: World, body: bytes, reason: str
) -> None:
    await world.put(body, encode(WANTED))
    assert await world.intake().take()
    assert await world.rows() == [("backfill", "BTC")]
    (dead,) = (await dead_orders(world.redis, None, 10)).items
    assert reason in dead.reason
    assert dead.body.encode() == body[:10_000]
    assert await world.left() == 0


async def test_dead_letters_are_paged_newest_first(world: World) -> None:
    await world.put(b"1", b"2", b"3")
    await world.redis.xadd(DATA_JOBS, {"other": b"4"})
    await world.intake().take()
    first = await dead_orders(world.redis, None, 3)
    assert [one.body for one in first.items] == ["", "3", "2"]
    rest = await dead_orders(world.redis, first.next_cursor, 3)
    assert ([one.body for one in rest.items], rest.next_cursor) == (["1"], None)


async def test_what_an_engine_had_read_when_it_died_is_taken_by_another(world: World) -> None:
    await world.intake()._join()
    await world.put(encode(WANTED))
    await world.redis.xreadgroup(GROUP, "dead", {DATA_JOBS: ">"})
    await world.intake("patient").take()
    assert await world.rows() == []  # it may be at work on it still
    await world.intake("next", claimed_after_ms=0).take()
    assert await world.rows() == [("backfill", "BTC")]
    assert await world.left() == 0


async def test_what_no_engine_lives_to_finish_is_poison(world: World) -> None:
    await world.intake()._join()
    await world.put(encode(WANTED))
    await world.redis.xreadgroup(GROUP, "dead", {DATA_JOBS: ">"})
    for number in range(4):
        await world.redis.xautoclaim(DATA_JOBS, GROUP, f"dead{number}", 0, "0-0")
    await world.intake("next", claimed_after_ms=0).take()
    (dead,) = (await dead_orders(world.redis, None, 10)).items
    assert "5 times" in dead.reason
    assert await world.rows() == []


async def test_when_a_tier_is_full_its_job_waits_and_is_no_poison(world: World) -> None:
    earlier = FetchCandles(
        kind="bars_fetch", symbols=["SPY"], start=WANTED.start, end=WANTED.end,
        requested_by="scheduler", tier="T0",
    )  # fmt: skip
    await world.put(encode(earlier), encode(WANTED))
    assert not await world.intake().take()
    assert (await world.rows(), await world.left()) == ([("bars_fetch", "SPY")], 1)
    for _ in range(10):  # however often
        assert not await world.intake(claimed_after_ms=0).take()
    assert (await dead_orders(world.redis, None, 10)).items == []
    with world.queue._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE data_jobs SET status = 'done'")
    assert await world.intake(claimed_after_ms=0).take()
    assert await world.rows() == [("backfill", "BTC"), ("bars_fetch", "SPY")]


async def test_while_a_tier_is_full_all_that_wait_for_it_wait_and_other_tiers_go_on(
    world: World,
) -> None:
    full = structs.replace(WANTED, end=WANTED.end - timedelta(minutes=1))
    wait = [structs.replace(WANTED, requested_by=f"program {number}") for number in range(20)]
    await world.put(encode(full), *map(encode, wait))
    intake = world.intake(claimed_after_ms=0, clock_s=itertools.count(step=60).__next__)
    for _ in range(20):
        await intake.take()
    other = structs.replace(WANTED, symbols=["SPY"], tier="T1")
    await world.put(encode(other))
    for _ in range(3):
        await world.intake().take()
    assert await world.dead() == []
    assert await world.rows() == [("backfill", "BTC"), ("backfill", "SPY")]
    assert await world.left() == len(wait)


async def test_an_order_of_a_tier_with_room_passes_one_that_waits(world: World) -> None:
    full = structs.replace(WANTED, symbols=["BTC", "SPY"])
    other = structs.replace(WANTED, symbols=["SPY"], tier="T1")
    await world.put(encode(full), encode(other))
    assert not await world.intake().take()
    assert (await world.rows(), await world.left()) == ([("backfill", "SPY")], 1)


async def test_while_the_store_is_away_nothing_becomes_poison(
    world: World, settings: Settings
) -> None:
    orders = [structs.replace(WANTED, tier="T1", symbols=[one]) for one in ("BTC", "SPY")]
    await world.put(*map(encode, orders))
    nowhere = make_engine(settings.model_copy(update={"db_port": free_port()}))
    thread = DatabaseThread("tests-away")
    away = DataJobs(JobQueue(nowhere, thread), calendar_of, able=True)
    for _ in range(10):
        intake = JobIntake(world.redis, away, "one", leads=lambda: True, claimed_after_ms=0)
        with pytest.raises(OperationalError):
            await intake.take()
    thread.close()
    assert await world.intake(claimed_after_ms=0).take()
    assert await world.dead() == []
    assert await world.rows() == [("backfill", "BTC"), ("backfill", "SPY")]


async def test_an_order_that_always_fails_takes_no_other_along(world: World) -> None:
    odd = structs.replace(WANTED, symbols=["ODD"], tier="T1")
    await world.put(encode(odd), encode(structs.replace(WANTED, tier="T1")))
    await world.intake().take()
    assert (await world.rows(), await world.left()) == ([("backfill", "BTC")], 1)
    for _ in range(4):
        await world.intake(claimed_after_ms=0).take()
    assert await world.dead() == []
    await world.intake(claimed_after_ms=0).take()
    (reason,) = await world.dead()
    assert "5 times" in reason


async def test_an_order_that_kills_its_engine_takes_no_other_along(world: World) -> None:
    """What was read with it and not begun hasn't been tried."""
    await world.intake()._join()
    deadly = structs.replace(WANTED, symbols=["ODD"], tier="T1")
    await world.put(encode(deadly), encode(structs.replace(WANTED, tier="T1")))
    await world.redis.xreadgroup(GROUP, "dead", {DATA_JOBS: ">"})

    def dies(_: str) -> SessionCalendar:
        raise asyncio.CancelledError

    deadly_jobs = DataJobs(world.queue, dies, able=True)
    for _ in range(4):
        with pytest.raises(asyncio.CancelledError):
            await JobIntake(
                world.redis, deadly_jobs, "one", leads=lambda: True, claimed_after_ms=0
            ).take()
    await world.intake(claimed_after_ms=0).take()
    (reason,) = await world.dead()
    assert "5 times" in reason
    assert await world.rows() == [("backfill", "BTC")]
