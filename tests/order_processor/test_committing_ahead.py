"""While a batch is being committed the next is applied in memory. It must not show."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine, text

from order_processor.settings import OrderProcessorSettings
from order_processor.shards.past import Past
from order_processor.wiring import Wiring, wire
from shared.models.orders import Order, OrderReply, Reply
from shared.models.topics import account_topic
from shared.redis.keys import shard_of
from shared.redis.topics import last_seq
from tests.order_processor.support import (
    Desk,
    Feed,
    ProcessorProcess,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
Processes = Callable[..., ProcessorProcess]


@contextmanager
def commits_blocked(engine: Engine) -> Iterator[None]:
    """Orders can be read, and not be written."""
    with engine.begin() as blocker:
        blocker.execute(text("LOCK TABLE orders IN SHARE MODE"))
        yield


def _blocked_commits(desk: Desk) -> int:
    waiting = desk.value(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(waiting)


def _ask_for(desk: Desk, name: str) -> "asyncio.Task[Order]":
    return asyncio.create_task(
        desk.insist(desk.command("buy", "1", limit="1", client_order_id=name))
    )


async def _one_under_way_and_one_behind(desk: Desk) -> list["asyncio.Task[Order]"]:
    """One order is being committed, three more have been read meanwhile."""
    first = _ask_for(desk, "0")
    await until(lambda: _blocked_commits(desk) >= 1)
    rest = [_ask_for(desk, str(number)) for number in (1, 2, 3)]
    await asyncio.wait([first, *rest], timeout=0.3)
    return [first, *rest]


def _is_whole(desk: Desk, orders: list[Order]) -> None:
    """Each order is there once, numbered in one row, with one frame."""
    assert sorted(order.seq for order in orders) == list(range(1, len(orders) + 1))
    assert desk.value("SELECT count(*) FROM orders") == len(orders)
    told = desk.value("SELECT count(*) FROM account_events WHERE topic LIKE '%.orders'")
    assert told == len(orders)
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


async def test_what_is_applied_during_a_commit_is_answered_and_told_after_its_own(
    processor: Processor, desk: Desk, redis: Redis
) -> None:
    async with processor():
        await desk.open_books()
        with commits_blocked(desk.engine):
            asking = await _one_under_way_and_one_behind(desk)
            assert not any(task.done() for task in asking)
            assert await last_seq(redis, account_topic(desk.account, "paper", "orders")) == 0
        _is_whole(desk, [await task for task in asking])


async def test_a_command_that_comes_again_during_its_commit_is_the_same_order(
    processor: Processor, desk: Desk
) -> None:
    async with processor():
        await desk.open_books()
        command = desk.command("buy", "1", limit="1", client_order_id="once")
        replies: list[Reply] = []
        with commits_blocked(desk.engine):
            asking = [asyncio.create_task(desk.ask(command))]
            await until(lambda: _blocked_commits(desk) >= 1)
            asking.append(asyncio.create_task(desk.ask(command)))
            await asyncio.wait(asking, timeout=0.2)
        replies = [await task for task in asking]
        orders = [reply.order for reply in replies if isinstance(reply, OrderReply)]
        assert orders[0] == orders[1]
        _is_whole(desk, orders[:1])


async def test_when_a_commit_fails_what_was_applied_behind_it_is_dropped_and_done_again(
    processor: Processor, desk: Desk
) -> None:
    async with processor():
        await desk.open_books()
        with commits_blocked(desk.engine):
            asking = await _one_under_way_and_one_behind(desk)
            with desk.engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    )
                )
        _is_whole(desk, [await task for task in asking])


async def test_a_process_that_dies_with_one_batch_under_way_and_one_behind_loses_and_doubles_none(
    processes: Processes, processor: Processor, desk: Desk, feed: Feed
) -> None:
    process = processes()
    await desk.insist(desk.command("buy", "1", limit="1", client_order_id="before"))
    with commits_blocked(desk.engine):
        asking = await _one_under_way_and_one_behind(desk)
        process.kill()
    async with processor():
        orders = [await task for task in asking]
        before = await desk.insist(desk.command("buy", "1", limit="1", client_order_id="before"))
        _is_whole(desk, [before, *orders])


async def test_a_command_that_makes_the_code_fail_does_not_cost_the_answers_of_the_batch_before(
    processor: Processor, desk: Desk, engine: Engine
) -> None:
    """An instrument whose tick can't divide must not be in the catalogue; here it is."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE instruments DROP CONSTRAINT ck_instruments_tick_size"))
        connection.execute(
            text(
                "INSERT INTO instruments VALUES ('BAD', 'BAD', 'XNYS', 'USD', 0, 1, true, true, 0,"
                " now())"
            )
        )
    async with processor():
        await desk.open_books()
        with commits_blocked(desk.engine):
            good = asyncio.create_task(desk.submit("buy", "1", limit="1"))
            await until(lambda: _blocked_commits(desk) >= 1)
            bad = asyncio.create_task(desk.refused("buy", "1", limit="5", symbol="BAD"))
            await asyncio.wait([good, bad], timeout=0.2)
        # One answer is enough: neither asks twice.
        assert (await good).status == "accepted"
        assert (await bad).code == "internal_error"


async def test_a_batch_is_bounded_also_while_the_one_before_is_stuck(
    processor_settings: OrderProcessorSettings, desk: Desk
) -> None:
    small = processor_settings.model_copy(update={"order_batch_commands": 2})
    async with wire(small):
        await desk.open_books()
        with commits_blocked(desk.engine):
            asking = await _one_under_way_and_one_behind(desk)
        _is_whole(desk, [await task for task in asking])
    sizes = desk.rows("SELECT count(*) AS size FROM orders GROUP BY xmin ORDER BY size")
    assert [row.size for row in sizes] == [1, 1, 2]


@pytest.mark.parametrize("busy", [True, False])
async def test_a_mark_is_acknowledged_when_all_before_it_is_committed(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis, *, busy: bool
) -> None:
    async with processor():
        await desk.open_books()
        await feed.start(paced=True)
        await feed.print(100.0)
        order = await desk.submit("buy", "1")
        other = _ask_for(desk, "other") if busy else None
        with commits_blocked(desk.engine):
            await feed.print(101.0)
            mark = await feed.mark(paced=True)
            await until(lambda: _blocked_commits(desk) >= 1)
            acknowledged = await redis.xrange("tape:{0}:acks")
            shard = shard_of(desk.account, 4)
            assert not any(f'"orders:{shard}"'.encode() in one[b"b"] for _, one in acknowledged)
        await until(lambda: _acknowledged(redis, shard, mark.number))
        assert desk.status(order.id) == "filled"
        if other is not None:
            assert (await other).status == "accepted"


async def _acknowledged(redis: Redis, shard: int, number: int) -> bool:
    wanted = (f'"orders:{shard}"'.encode(), f'"number":{number}'.encode())
    entries = await redis.xrange("tape:{0}:acks")
    return any(all(part in one[b"b"] for part in wanted) for _, one in entries)


def test_of_what_is_over_only_the_durable_is_forgotten() -> None:
    past: Past[int, str] = Past(kept=2)
    past.update({1: "a", 2: "b", 3: "c"})
    past.forget()
    assert list(past) == [1, 2, 3]
    past.seal()
    past.update({4: "d", 5: "e", 6: "f", 7: "g"})
    past.forget()
    assert list(past) == [4, 5, 6, 7]
    past.seal()
    past.forget()
    assert list(past) == [6, 7]
