"""Jobs from the stream: taken once, read again after a death, poison put aside."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine

from market_data_engine.backfill.actions import DataJobs
from market_data_engine.backfill.intake import GROUP, JobIntake, dead_orders
from market_data_engine.backfill.queue import JobQueue
from shared.candles.calendar import SessionCalendar
from shared.database import DatabaseThread
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


@pytest.fixture
async def world(engine: Engine, redis: Redis) -> AsyncIterator[World]:
    thread = DatabaseThread("tests-jobs")
    queue = JobQueue(engine, thread, {"T0": 1, "T1": 9, "T2": 9})
    known = {"BTC": SessionCalendar.continuous(), "SPY": SessionCalendar.continuous()}
    yield World(queue, DataJobs(queue, known.__getitem__, able=True), redis)
    thread.close()


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
