import asyncio

import pytest
from redis.asyncio import Redis

from shared.models.identifiers import Symbol
from shared.models.market import Quotes, RunStarted, TimeMark
from shared.redis import tape
from shared.redis.keys import observer_heartbeat


def mark(number: int) -> TimeMark:
    return TimeMark(number=number, at_ns=number * 60_000_000_000, phase="market", paced=True)


async def test_every_reader_sees_the_same_entries_in_order(redis: Redis) -> None:
    started = RunStarted(run_id="r", source="replay", paced=True)
    ids = await tape.append(redis, [started, mark(1), mark(2)])
    entries = await tape.read(redis, tape.BEGINNING, block_ms=10)
    assert [entry.id for entry in entries] == ids
    assert [entry.decode() for entry in entries] == [started, mark(1), mark(2)]
    assert [entry.id for entry in await tape.read(redis, ids[0], block_ms=10)] == ids[1:]
    assert await tape.end_of_tape(redis) == ids[-1]


async def test_quotes_can_be_told_from_other_entries_before_they_are_decoded(redis: Redis) -> None:
    quotes = Quotes(
        symbols=[Symbol("IBM")],
        symbol_index=[0, 0],
        at_ns=[1, 2],
        bid=[181.8, 0.0],
        ask=[181.82, 181.83],
        bid_size=[300.0, 0.0],
        ask_size=[100.0, 100.0],
    )
    await tape.append(redis, [quotes, mark(1)])
    first, second = await tape.read(redis, tape.BEGINNING, block_ms=10)
    assert (first.kind, second.kind) == ("quotes", "mark")
    assert first.decode() == quotes


async def test_the_pacer_waits_for_everyone_of_the_phase_and_only_for_them(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={"orders:0": "market"})
    await tape.join(redis, "orders:1", "market")
    await tape.join(redis, "deployment:x", "strategy")
    await pacer.begin()
    waiting = asyncio.create_task(pacer.wait("market", 1))
    await tape.acknowledge(redis, ["orders:0"], mark(1), "market")
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    assert await pacer.missing("market", 1) == {"orders:1"}
    await tape.acknowledge(redis, ["orders:1"], mark(1), "market")
    await asyncio.wait_for(waiting, 2)


async def test_a_participant_that_leaves_is_not_waited_for(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={})
    await tape.join(redis, "client:a", "observe")
    await pacer.begin()
    assert await pacer.missing("observe", 1) == {"client:a"}
    await tape.leave(redis, "client:a")
    await asyncio.wait_for(pacer.wait("observe", 1), 2)


async def test_an_observer_without_a_heartbeat_is_struck_off(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={})
    await tape.join(redis, "client:alive", "observe")
    await tape.join(redis, "client:dead", "observe")
    await pacer.begin()
    assert await pacer.missing("observe", 1) == {"client:alive", "client:dead"}
    await redis.delete(observer_heartbeat("client:dead"))  # as it goes when its time is over
    assert await pacer.missing("observe", 1) == {"client:alive"}
    await tape.acknowledge_observed(redis, "client:alive", 1)
    await asyncio.wait_for(pacer.wait("observe", 1), 2)


async def test_an_observer_whose_process_was_only_stopped_takes_part_again(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={})
    await tape.join(redis, "client:a", "observe")
    await redis.delete(observer_heartbeat("client:a"))
    assert await pacer.missing("observe", 1) == set()
    await tape.keep_observing(redis, ["client:a"])
    assert await pacer.missing("observe", 1) == {"client:a"}


async def test_an_observer_is_spoken_for_only_for_a_bounded_time(redis: Redis) -> None:
    await tape.join(redis, "client:a", "observe")
    left_ms = await redis.pttl(observer_heartbeat("client:a"))
    assert 0 < left_ms <= tape.OBSERVER_HEARTBEAT_S * 1000


async def test_acknowledgements_of_an_earlier_run_do_not_count(redis: Redis) -> None:
    await tape.acknowledge(redis, ["orders:0"], mark(9), "market")
    pacer = tape.Pacer(redis, always={"orders:0": "market"})
    await pacer.begin()
    assert await pacer.missing("market", 1) == {"orders:0"}


async def test_a_run_that_redis_has_lost_is_not_waited_for(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={"orders:0": "market"})
    await pacer.begin("run")
    waiting = asyncio.create_task(pacer.wait("market", 1))
    await asyncio.wait([waiting], timeout=0.1)
    await redis.flushall()
    with pytest.raises(tape.RunLostError):
        await asyncio.wait_for(waiting, 2)


async def test_the_tape_is_trimmed_only_behind_what_everyone_committed(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={"orders:0": "market"})
    ids = await tape.append(redis, [mark(number) for number in range(1, 1001)])
    await tape.join(redis, "deployment:x", "strategy")
    await tape.acknowledge(redis, ["orders:0"], mark(1000), "market", committed=ids[-1])
    await pacer.trim()
    assert len(await tape.read(redis, tape.BEGINNING, count=2000, block_ms=10)) == 1000
    await tape.acknowledge(redis, ["deployment:x"], mark(500), "strategy", committed=ids[499])
    await pacer.trim()
    kept = await tape.read(redis, tape.BEGINNING, count=2000, block_ms=10)
    assert len(kept) < 1000
    assert tape.position(kept[0].id) <= tape.position(ids[499])


async def test_a_late_acknowledgement_of_a_stopped_run_does_not_count(redis: Redis) -> None:
    pacer = tape.Pacer(redis, always={"orders:0": "market"})
    await pacer.begin("second")
    of_the_first = TimeMark(number=9, at_ns=1, phase="market", paced=True, run_id="first")
    await tape.acknowledge(redis, ["orders:0"], of_the_first, "market")
    waiting = asyncio.create_task(pacer.wait("market", 1))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    of_the_second = TimeMark(number=1, at_ns=1, phase="market", paced=True, run_id="second")
    await tape.acknowledge(redis, ["orders:0"], of_the_second, "market")
    await asyncio.wait_for(waiting, 2)


async def test_the_newest_mark_of_a_phase_is_found_behind_other_entries(redis: Redis) -> None:
    assert await tape.newest_mark(redis, "strategy") is None
    decided = TimeMark(number=1, at_ns=60, phase="strategy", paced=True)
    ids = await tape.append(redis, [mark(1), decided, *[mark(n) for n in range(2, 200)]])
    assert await tape.newest_mark(redis, "strategy") == (ids[1], decided)
    assert await tape.newest_mark(redis, "market") == (ids[-1], mark(199))
