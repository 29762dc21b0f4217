"""What subscribers of an account's topics see: frames, snapshots, equity."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from order_processor.main import create_app
from order_processor.settings import OrderProcessorSettings
from order_processor.wiring import Wiring
from shared.models.orders import EquityMarked, OrderExecuted, OrderUpdated, PositionChanged
from shared.models.topics import AccountTopicKind, account_topic
from shared.redis.topics import frames_after
from shared.service.internal import internal_client
from tests.order_processor.support import Desk, Feed, ProcessorProcess, until

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


async def frames(redis: Redis, desk: Desk, kind: AccountTopicKind, message: Any) -> list[Any]:
    found = await frames_after(redis, account_topic(desk.account, "paper", kind), 0)
    assert found is not None
    assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
    return [
        msgspec.convert(msgspec.json.decode(frame)["data"], message, strict=False)
        for _, frame in found
    ]


async def test_each_step_of_an_order_is_told_on_its_topics_with_the_state_after_it(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async with processor():
        first = await feed.print(100.0)
        order = await desk.submit("buy", "10")
        second = await feed.print(101.0)
        await until(lambda: desk.status(order.id) == "filled")
    updates = await frames(redis, desk, "orders", OrderUpdated)
    assert [(each.event, each.tape_id, each.cash) for each in updates] == [
        ("accepted", first, 100_000),
        ("filled", second, 98_990),
    ]
    [executed] = await frames(redis, desk, "executions", OrderExecuted)
    assert (executed.execution.price, executed.cash, executed.tape_id) == (101, 98_990, second)
    assert executed.order.status == "filled"
    assert (executed.position.qty, executed.position.avg_price) == (10, 101)
    [moved] = await frames(redis, desk, "positions", PositionChanged)
    assert moved.position == executed.position


async def test_a_command_of_the_strategy_phase_is_stamped_with_the_market_mark(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    """Whether the shard has read the strategy mark yet must not show."""
    async with processor():
        await feed.start(paced=True)
        await feed.print(100.0)
        await feed.mark(paced=True)
        market_mark = (await redis.xrevrange("tape:{0}", count=1))[0][0].decode()
        await feed.mark(paced=True, phase="strategy")
        await desk.submit("buy", "10")
    [update] = await frames(redis, desk, "orders", OrderUpdated)
    assert update.tape_id == market_mark


async def test_equity_is_marked_after_a_fill_and_when_prices_move(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async def equity() -> EquityMarked | None:
        marks = await frames(redis, desk, "equity", EquityMarked)
        return marks[-1] if marks else None

    async def equity_is(value: str) -> bool:
        mark = await equity()
        return mark is not None and mark.equity == Decimal(value)

    async with processor():
        await feed.print(100.0)
        order = await desk.submit("buy", "10")
        await feed.print(101.0)
        await until(lambda: desk.status(order.id) == "filled")
        await feed.print(103.0)
        await until(lambda: equity_is("100020"))
        mark = await equity()
        assert mark is not None
        assert (mark.cash, mark.unrealized_pnl, mark.prices) == (98_990, 20, {"SPY": 103})
    # A successor goes on with the numbers where its predecessor ended (`frames` checks).
    async with processor():
        await feed.print(99.0)
        await until(lambda: equity_is("99980"))


async def test_equity_marks_come_at_a_bounded_rate(
    processor_settings: OrderProcessorSettings, desk: Desk, feed: Feed, redis: Redis
) -> None:
    from order_processor.wiring import wire

    slow = processor_settings.model_copy(update={"order_equity_interval_s": 30.0})
    async with wire(slow):
        await feed.print(100.0)
        order = await desk.submit("buy", "10")
        for price in range(200):
            await feed.print(100.0 + price)
        await until(lambda: desk.status(order.id) == "filled")
        await desk.submit("buy", "1", limit="1")
    marks = await frames(redis, desk, "equity", EquityMarked)
    assert 2 <= len(marks) <= 4


# --- snapshots -----------------------------------------------------------------------------------


@pytest.fixture
async def snapshots(processes: Callable[..., ProcessorProcess], settings: Any, desk: Desk) -> Any:
    process = processes()
    url = f"http://127.0.0.1:{process.port}"
    async with internal_client(settings, url) as client:

        async def ready() -> bool:
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready)
        yield client


async def test_a_snapshot_is_what_the_frames_up_to_its_number_tell_and_for_services_alone(
    snapshots: httpx.AsyncClient, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async def snapshot(kind: str) -> tuple[int, Any]:
        answer = await snapshots.get(f"/internal/snapshots/{desk.account}/paper/{kind}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return body["seq"], body["data"]

    assert await snapshot("orders") == (0, [])
    await feed.print(100.0)
    order = await desk.submit("buy", "10")
    resting = await desk.submit("buy", "1", limit="50.5")
    await feed.print(101.0)
    await until(lambda: desk.status(order.id) == "filled")
    seq, orders = await snapshot("orders")
    updates = await frames(redis, desk, "orders", OrderUpdated)
    assert seq == len(updates) == 3
    assert [each["id"] for each in orders] == [str(order.id), str(resting.id)]
    assert [each["status"] for each in orders] == ["filled", "accepted"]
    assert orders[1]["limit_price"] == "50.5"
    seq, [execution] = await snapshot("executions")
    assert (seq, execution["price"]) == (1, "101")
    seq, [position] = await snapshot("positions")
    assert (seq, position["qty"], position["avg_price"]) == (1, "10", "101")

    async def equity_counts() -> bool:
        seq, data = await snapshot("equity")
        return seq >= 2 and data["equity"] == "100000" and data["prices"] == {"SPY": "101"}

    await until(equity_counts)

    # For the platform's own services, and for accounts that exist.
    path = f"/internal/snapshots/{desk.account}/paper/orders"
    assert (await snapshots.get(path, headers={"X-Internal-Token": "no"})).status_code == 401
    missing = await snapshots.get(f"/internal/snapshots/{uuid4()}/paper/orders")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (await snapshots.get(f"{path}x")).status_code == 422
    metrics = await snapshots.get("/metrics")
    assert "order_shard_epoch" in metrics.text


def test_the_app_can_be_made_without_connecting(processor_settings: OrderProcessorSettings) -> None:
    assert create_app(processor_settings).title == "Order processor"


async def test_frames_of_one_commit_are_stored_byte_by_byte_as_they_were_published(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async with processor():
        await feed.print(100.0)
        names = ["user:zürich-'1'", "user:東京\\2", "user:plain"]
        ticket = desk.command("buy", "1", limit="90")
        sent = [
            msgspec.structs.replace(
                ticket, submitted_by=name, request_id=uuid4().hex, client_order_id=uuid4().hex
            )
            for name in names
        ]
        replies = await desk.requests.ask_all(sent, 30.0)
        assert len(replies) == len(names)
        await desk.submit("buy", "1", limit="90")
    topic = account_topic(desk.account, "paper", "orders")
    published = await frames_after(redis, topic, 0)
    stored = desk.rows(
        "SELECT topic_seq, frame FROM account_events WHERE topic = :topic ORDER BY seq", topic=topic
    )
    assert published == [(row.topic_seq, bytes(row.frame)) for row in stored]
    told = [msgspec.json.decode(row.frame)["data"]["order"]["submitted_by"] for row in stored]
    assert len(told) == 4
    assert told[:3] == names
