"""Stops and times in force through the whole service: stored, told, the same after a restart."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from decimal import Decimal

from redis.asyncio import Redis

from order_processor.shards.clock import moment
from order_processor.wiring import Wiring
from shared.models.topics import account_topic
from shared.redis.topics import last_seq
from tests.order_processor.support import Desk, Feed, ledger_adds_up, until

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
D = Decimal


async def test_a_trailing_stop_goes_on_after_a_restart_exactly_where_it_was(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async with processor():
        await feed.print(100.0)
        await desk.submit("buy", "1")
        await feed.print(100.0)
        order = await desk.submit("sell", "1", order_type="trailing_stop", trail_percent="1")
        assert (order.hwm, order.stop_price) == (100, 99)
        topic = account_topic(desk.account, "paper", "orders")
        # Answers go out before what is told: both orders taken, one filled.
        await until(lambda: _told(redis, topic, 3))
        await feed.print(101.0, 103.3, 102.5)
        await until(lambda: _mark(desk, order.id) == D("103.3"))
        # Its mark moves with every print: that is stored, and not told.
        assert await last_seq(redis, topic) == 3
    async with processor():
        await feed.print(102.27)  # its stop is at 102.26
        await feed.print(102.26)
        await until(lambda: desk.status(order.id) == "filled")
        row = desk.rows("SELECT * FROM orders WHERE id = :id", id=order.id)[0]
        assert (row.filled_avg_price, row.stop_price) == (D("102.26"), D("102.26"))
        assert [each.to_status for each in _steps(desk, order.id)] == [
            "new",
            "accepted",
            "accepted",
            "filled",
        ]
    ledger_adds_up(desk, [desk.account])


async def _told(redis: Redis, topic: str, count: int) -> bool:
    return await last_seq(redis, topic) == count


def _mark(desk: Desk, order_id: object) -> Decimal | None:
    return desk.value("SELECT hwm FROM orders WHERE id = :id", id=order_id)


def _steps(desk: Desk, order_id: object) -> list[object]:
    return desk.rows(
        "SELECT * FROM order_transitions WHERE order_id = :id ORDER BY seq", id=order_id
    )


async def test_a_triggered_stop_limit_rests_at_its_limit_also_after_a_restart(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        order = await desk.submit(
            "buy", "1", order_type="stop_limit", stop_price="102", limit="103"
        )
        await feed.print(105.0)
        await until(lambda: desk.value("SELECT triggered_at FROM orders WHERE id = :i", i=order.id))
    async with processor():
        await feed.print(101.0)
        await until(lambda: desk.status(order.id) == "filled")
    assert desk.value("SELECT price FROM executions") == 103
    ledger_adds_up(desk, [desk.account])


async def test_a_new_run_makes_a_trailing_stop_begin_again_also_after_a_restart(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        await desk.submit("buy", "1")
        await feed.print(100.0)
        order = await desk.submit("sell", "1", order_type="trailing_stop", trail_price="5")
        await feed.start(paced=True)
        await until(lambda: _mark(desk, order.id) is None)
    async with processor():
        await feed.print(20.0, 30.0, 26.0)
        await until(lambda: _mark(desk, order.id) == 30)
        assert desk.status(order.id) == "accepted"
        await feed.print(25.0)
        await until(lambda: desk.status(order.id) == "filled")


async def test_a_stop_that_is_sent_again_gets_the_first_answer_however_far_it_trailed(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        command = desk.command("buy", "1", order_type="trailing_stop", trail_price="5")
        first = await desk.insist(command)
        await feed.print(90.0)
        await until(lambda: _mark(desk, first.id) == 90)
        reply = await desk.ask(command)
        assert reply.repeated  # type: ignore[union-attr]
        assert reply.order.stop_price == 95  # type: ignore[union-attr]
        conflict = await desk.refused(
            "buy",
            "1",
            order_type="trailing_stop",
            trail_price="4",
            client_order_id=command.client_order_id,
        )
        assert conflict.code == "client_order_id_conflict"


async def test_orders_to_fill_at_once_or_until_a_time_end_as_they_said(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        early = await desk.refused(
            "buy", "1", limit="50", time_in_force="gtd", expires_at=moment(feed.at_ns)
        )
        assert early.code == "time_in_force_not_available"
        await feed.print(100.0)
        end = moment(feed.at_ns) + timedelta(seconds=3)
        gtd = desk.command("buy", "1", limit="50", time_in_force="gtd", expires_at=end)
        placed = await desk.insist(gtd)
        ioc = await desk.submit("buy", "1", limit="90", time_in_force="ioc")
        fok = await desk.submit("buy", "1", time_in_force="fok")
        await feed.print(91.0)
        await until(lambda: desk.status(ioc.id) == "cancelled")
        assert desk.status(fok.id) == "filled"
    async with processor():
        assert (await desk.insist(gtd)).status == "accepted"
        # The second of these prints is at its end: too late for it.
        await feed.print(60.0, 40.0)
        await until(lambda: desk.status(placed.id) == "expired")
        assert (await desk.insist(gtd)).status == "expired"
    ledger_adds_up(desk, [desk.account])
