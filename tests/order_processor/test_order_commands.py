"""What a trader sees: one processor, real stores."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from uuid import uuid4

import msgspec
from redis.asyncio import Redis
from sqlalchemy import text

from order_processor.wiring import Wiring
from shared.models.orders import BooksReply, OrderReply, Refusal
from shared.redis import tape
from shared.redis.keys import order_commands, shard_of
from tests.order_processor.support import (
    Desk,
    Feed,
    add_account,
    add_instrument,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


async def test_a_market_order_fills_at_the_next_print_and_the_books_agree(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        order = await desk.submit("buy", "10")
        assert order.status == "accepted"
        assert desk.status(order.id) == "accepted"
        await feed.print(101.25, 90.0)
        await until(lambda: desk.status(order.id) == "filled")
    [execution] = desk.rows("SELECT * FROM executions")
    assert (execution.price, execution.qty, execution.fee) == (Decimal("101.25"), 10, 0)
    assert desk.value("SELECT balance FROM ledger_entries ORDER BY seq DESC LIMIT 1") == Decimal(
        "98987.5"
    )
    steps = desk.rows("SELECT from_status, to_status FROM order_transitions ORDER BY seq")
    assert [tuple(step) for step in steps] == [
        (None, "new"),
        ("new", "accepted"),
        ("accepted", "filled"),
    ]
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


async def test_a_repeated_command_gets_the_first_answer(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        first = await desk.submit("buy", "10", limit="50", client_order_id="a")
        again = await desk.ask(desk.command("buy", "10", limit="50", client_order_id="a"))
        assert isinstance(again, OrderReply)
        assert again.repeated
        assert again.order == first
        other = await desk.refused("buy", "11", limit="50", client_order_id="a")
        assert other.code == "client_order_id_conflict"
    async with processor():
        later = await desk.ask(desk.command("buy", "10.0", limit="50", client_order_id="a"))
        assert isinstance(later, OrderReply)
        assert later.repeated
        assert later.order == first
    assert desk.value("SELECT count(*) FROM orders") == 1


async def test_a_rejected_order_is_stored_with_its_reason_and_stays_rejected(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        early = await desk.submit("buy", "1", client_order_id="early")
        assert (early.status, early.reason_code) == ("rejected", "no_market_price")
        await feed.print(100.0)
        again = await desk.submit("buy", "1", client_order_id="early")
        assert again == early
        naked = await desk.submit("sell", "1")
        assert naked.reason_code == "insufficient_position"
        big = await desk.submit("buy", "1000")
        assert big.reason_code == "insufficient_buying_power"
        assert big.reason is not None
        assert "100000" in big.reason
    assert desk.value("SELECT count(*) FROM orders WHERE status = 'rejected'") == 3


async def test_what_is_wrong_with_the_command_itself_is_refused_and_not_stored(
    processor: Processor, desk: Desk
) -> None:
    add_instrument(desk.engine, "ODD", exchange="NOWHERE")
    closed = add_account(desk.engine, status="closed")
    async with processor():
        codes = [
            (await desk.refused("buy", "1", limit="1", symbol="NONE")).code,
            (await desk.refused("buy", "1", limit="1", symbol="\x00")).code,
            (await desk.refused("buy", "1.5", limit="1")).code,
            (await desk.refused("buy", "NaN", limit="1")).code,
            (await desk.refused("buy", "1e999999", limit="1")).code,
            (await desk.refused("buy", "1", limit="1.001")).code,
            (await desk.refused("buy", "1", limit="1", client_order_id="\x00")).code,
            (await desk.refused("buy", "1", limit="1", mode="live")).code,
            (await desk.refused("buy", "1", limit="1", account=closed)).code,
            (await desk.refused("buy", "1", limit="1", account=uuid4())).code,
            (await desk.refused("buy", "1", limit="1", symbol="ODD", time_in_force="day")).code,
        ]
    assert codes == [
        "unknown_symbol",
        "unknown_symbol",
        "qty_not_in_lots",
        "invalid_qty",
        "qty_too_large",
        "limit_price_not_on_tick",
        "invalid_client_order_id",
        "mode_not_available",
        "account_closed",
        "not_found",
        "time_in_force_not_available",
    ]
    assert desk.value("SELECT count(*) FROM orders") == 0


async def test_a_working_order_can_be_cancelled_once_and_only_by_its_account(
    processor: Processor, desk: Desk
) -> None:
    stranger = add_account(desk.engine)
    async with processor():
        order = await desk.submit("buy", "10", limit="50")
        theirs = await desk.cancel(order.id, account=stranger)
        assert isinstance(theirs, Refusal)
        assert theirs.code == "not_found"
        done = await desk.cancel(order.id)
        assert isinstance(done, OrderReply)
        assert done.order.status == "cancelled"
        again = await desk.cancel(order.id)
        assert isinstance(again, Refusal)
        assert (again.code, again.observed) == ("order_not_working", "cancelled")
        nothing = await desk.cancel(uuid4())
        assert isinstance(nothing, Refusal)
        assert nothing.code == "not_found"
        freed = await desk.submit("buy", "2000", limit="50")
        assert freed.status == "accepted"


async def test_opening_books_deposits_the_capital_once(processor: Processor, desk: Desk) -> None:
    async with processor():
        for _ in range(2):
            reply = await desk.open_books()
            assert isinstance(reply, BooksReply)
            assert reply.cash == 100_000
        await desk.submit("buy", "1", limit="1")
    [entry] = desk.rows("SELECT kind, amount, balance FROM ledger_entries")
    assert tuple(entry) == ("deposit", 100_000, 100_000)


async def test_commands_that_can_not_be_read_are_passed_over(
    processor: Processor, desk: Desk, redis: Redis
) -> None:
    shard = shard_of(desk.account, 4)
    too_deep = b'{"type":"submit_order","version":' + b"[" * 100_000
    for fields in (
        {b"b": b"{not json"}, {b"b": b'{"type":"nonsense"}'}, {b"x": b""}, {b"b": too_deep}
    ):  # fmt: skip
        await redis.xadd(order_commands(shard), fields)
    async with processor():
        order = await desk.submit("buy", "1", limit="1")
        assert order.status == "accepted"
    assert await redis.xlen(order_commands(shard)) <= 1


async def test_tape_entries_that_can_not_be_used_are_passed_over(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    await redis.xadd("tape:{0}", {"k": "trades", "b": b'{"type":"trades"'})
    await redis.xadd("tape:{0}", {"k": "trades", "b": b'{"x":' + b"[" * 100_000})
    broken = feed.trades(("SPY", 100.0))
    broken.price.append(3.0)
    await tape.append(redis, [broken])
    async with processor():
        order = await desk.submit("buy", "1", limit="1000")
        await feed.print(-5.0, 1e300, 7.0)
        await until(lambda: desk.status(order.id) == "filled")
    assert desk.value("SELECT price FROM executions") == 7


async def test_a_new_run_forgets_the_prices_of_the_one_before(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        assert (await desk.submit("buy", "1")).status == "accepted"
        await feed.start(paced=True)
        refused = await desk.submit("buy", "1")
        assert refused.reason_code == "no_market_price"
    with desk.engine.begin() as connection:
        assert (
            connection.execute(
                text("SELECT count(*) FROM order_shard_marks WHERE shard = :s"),
                {"s": shard_of(desk.account, 4)},
            ).scalar()
            == 0
        )


async def test_orders_of_a_paced_run_carry_market_time(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        await feed.print(100.0)
        order = await desk.submit("buy", "1")
        assert order.submitted_at.year == 2013
        await feed.print(100.0)
        await until(lambda: desk.status(order.id) == "filled")
        await feed.end()
        later = await desk.submit("buy", "1", limit="1")
        assert later.submitted_at.year > 2013
    assert desk.value("SELECT at FROM executions").year == 2013


async def test_an_order_for_an_amount_is_the_same_after_a_crash(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    command = desk.command("buy", "0", client_order_id="amount", notional=Decimal(1000))
    async with processor():
        await feed.print(100.0)
        first = await desk.ask(command)
        assert isinstance(first, OrderReply), first
        assert (first.order.qty, first.order.notional) == (10, 1000)
    async with processor():
        other = await desk.ask(msgspec.structs.replace(command, notional=Decimal(900)))
        assert isinstance(other, Refusal)
        assert other.code == "client_order_id_conflict"
        await feed.print(90.0)
        await until(lambda: desk.status(first.order.id) == "filled")
        again = await desk.ask(command)
        assert isinstance(again, OrderReply)
        assert (again.repeated, again.order.qty, again.order.notional) == (True, 11, 1000)
    ledger_adds_up(desk, [desk.account])
