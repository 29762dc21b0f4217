"""Replacing orders, cancelling many, closing positions: through the service, also sent twice."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from order_processor.wiring import Wiring
from shared.models.base import encode
from shared.models.identifiers import Symbol
from shared.models.orders import (
    CancelOrders,
    ClosePositions,
    Order,
    OrderReply,
    OrdersReply,
    Refusal,
    ReplaceOrder,
)
from shared.redis.keys import order_commands, shard_of
from shared.trading.changes import order_id_of
from tests.order_processor.support import (
    Desk,
    Feed,
    add_instrument,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
D = Decimal


def replacing(desk: Desk, order: Order, name: str, **changes: Any) -> ReplaceOrder:
    return ReplaceOrder(
        request_id=uuid4().hex,
        reply_to=desk.requests.reply_to,
        account_id=order.account_id,
        mode="paper",
        order_id=order.id,
        client_order_id=name,
        submitted_by="user:1",
        **{key: D(value) for key, value in changes.items()},
    )


def closing(desk: Desk, name: str, symbol: str | None = None, **more: Any) -> ClosePositions:
    return ClosePositions(
        request_id=uuid4().hex,
        reply_to=desk.requests.reply_to,
        account_id=desk.account,
        mode="paper",
        client_order_id=name,
        submitted_by="user:1",
        symbol=None if symbol is None else Symbol(symbol),
        **more,
    )


async def buy(desk: Desk, feed: Feed, qty: str, symbol: str = "SPY") -> None:
    await feed.print(100.0, symbol=symbol)
    order = await desk.submit("buy", qty, symbol=symbol)
    await feed.print(100.0, symbol=symbol)
    await until(lambda: desk.status(order.id) == "filled")


async def test_a_replacement_takes_the_place_of_its_order_also_when_it_is_sent_again(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        old = await desk.submit("buy", "10", limit="90", time_in_force="gtc")
        command = replacing(desk, old, "new", limit_price="95", qty="5")
        reply = await desk.ask(command)
        assert isinstance(reply, OrderReply)
        new = reply.order
        assert (new.status, new.qty, new.limit_price, new.replaces) == ("accepted", 5, 95, old.id)
    async with processor():
        again = await desk.ask(command)
        assert isinstance(again, OrderReply)
        assert (again.repeated, again.order) == (True, new)
        other = await desk.ask(replacing(desk, old, "new", limit_price="96"))
        assert isinstance(other, Refusal)
        assert other.code == "client_order_id_conflict"
        as_submit = await desk.refused("buy", "5", limit="95", client_order_id="new")
        assert as_submit.code == "client_order_id_conflict"
        ended = await desk.ask(replacing(desk, old, "third", limit_price="96"))
        assert isinstance(ended, Refusal)
        assert (ended.code, ended.observed) == ("order_not_working", "replaced")
        await feed.print(94.0)
        await until(lambda: desk.status(new.id) == "filled")
        late = await desk.ask(replacing(desk, new, "late", limit_price="96"))
        assert isinstance(late, Refusal)
        assert (late.code, late.observed) == ("order_not_working", "filled")
    row = desk.rows("SELECT status, replaced_by FROM orders WHERE id = :id", id=old.id)[0]
    assert (row.status, row.replaced_by) == ("replaced", new.id)
    assert desk.value("SELECT count(*) FROM orders") == 2
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


async def test_an_order_and_its_replacement_in_one_batch_end_as_one(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    """Sent together, before anybody owns the shard."""
    submitted = desk.command("buy", "1", limit="90", client_order_id="old")
    order_id = order_id_of(desk.account, "paper", "old")
    replace = ReplaceOrder(
        request_id="r",
        reply_to=desk.requests.reply_to,
        account_id=desk.account,
        mode="paper",
        order_id=order_id,
        client_order_id="new",
        submitted_by="user:1",
        limit_price=D(91),
    )
    stream = order_commands(shard_of(desk.account, 4))
    for command in (submitted, replace, replace):
        await feed.redis.xadd(stream, {"b": encode(command)})
    async with processor():
        await until(lambda: desk.value("SELECT count(*) FROM orders") == 2)
        assert desk.status(order_id) == "replaced"


async def test_a_replacement_that_the_books_forbid_is_rejected_and_the_order_works_on(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        old = await desk.submit("buy", "10", limit="90")
        command = replacing(desk, old, "too-much", qty="100000")
        for repeated in (False, True):
            reply = await desk.ask(command)
            assert isinstance(reply, OrderReply)
            assert (reply.order.status, reply.order.reason_code, reply.repeated) == (
                "rejected",
                "insufficient_buying_power",
                repeated,
            )
        assert desk.status(old.id) == "accepted"
        assert desk.value("SELECT replaced_by FROM orders WHERE id = :i", i=old.id) is None
        await feed.print(80.0)
        await until(lambda: desk.status(old.id) == "filled")
        again = await desk.ask(command)
        assert isinstance(again, OrderReply), "the old order's fills don't make it another command"
        assert (again.order.id, again.repeated) == (reply.order.id, True)


async def test_all_orders_are_cancelled_or_those_of_one_symbol(
    processor: Processor, desk: Desk
) -> None:
    add_instrument(desk.engine, "IBM")
    async with processor():
        spy = [await desk.submit("buy", "1", limit="1") for _ in range(2)]
        ibm = await desk.submit("buy", "1", limit="1", symbol="IBM")

        async def cancel_all(symbol: str | None) -> list[object]:
            reply = await desk.ask(
                CancelOrders(
                    request_id=uuid4().hex,
                    reply_to=desk.requests.reply_to,
                    account_id=desk.account,
                    mode="paper",
                    submitted_by="user:1",
                    symbol=None if symbol is None else Symbol(symbol),
                )
            )
            assert isinstance(reply, OrdersReply)
            assert all(order.status == "cancelled" for order in reply.orders)
            return [order.id for order in reply.orders]

        assert await cancel_all("SPY") == [order.id for order in spy]
        assert desk.status(ibm.id) == "accepted"
        assert await cancel_all(None) == [ibm.id]
        assert await cancel_all(None) == []


async def test_a_position_is_closed_once_however_often_it_is_asked(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await buy(desk, feed, "10")
        command = closing(desk, "out", "SPY")
        first = await desk.ask(command)
        assert isinstance(first, OrdersReply)
        [order] = first.orders
        assert (order.side, order.type, order.qty, order.client_order_id) == (
            "sell",
            "market",
            10,
            "out",
        )
        await feed.print(101.0)
        await until(lambda: desk.status(order.id) == "filled")
        flat = await desk.ask(closing(desk, "again", "SPY"))
        assert isinstance(flat, Refusal)
        assert flat.code == "position_not_open"
        # A new position does not belong to the old request.
        await buy(desk, feed, "3")
    async with processor():
        second = await desk.ask(command)
        assert isinstance(second, OrdersReply)
        assert second.repeated
        assert [each.id for each in second.orders] == [order.id]
        conflict = await desk.refused("sell", "10", client_order_id="out")
        assert conflict.code == "client_order_id_conflict"
    assert desk.value("SELECT qty FROM positions") == 3
    ledger_adds_up(desk, [desk.account])


async def test_closing_with_a_working_sell_needs_its_cancellation(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await buy(desk, feed, "10")
        stop = await desk.submit("sell", "10", order_type="stop", stop_price="90")
        bid = await desk.submit("buy", "1", limit="50")
        held = await desk.ask(closing(desk, "held", "SPY"))
        assert isinstance(held, OrdersReply)
        assert held.orders[0].reason_code == "insufficient_position"
        assert desk.status(stop.id) == "accepted"
        freed = await desk.ask(closing(desk, "freed", "SPY", cancel_orders=True))
        assert isinstance(freed, OrdersReply)
        assert [order.status for order in freed.orders] == ["accepted"]
        assert {desk.status(stop.id), desk.status(bid.id)} == {"cancelled"}
        await feed.print(99.0)
        await until(lambda: desk.value("SELECT qty FROM positions") == 0)
    ledger_adds_up(desk, [desk.account])


async def test_all_positions_are_closed_once_also_after_a_restart(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    for symbol in ("IBM", "HALT"):
        add_instrument(desk.engine, symbol)
    command = closing(desk, "flat")
    async with processor():
        for symbol in ("SPY", "IBM", "HALT"):
            await buy(desk, feed, "2", symbol)
        with desk.engine.begin() as connection:
            connection.execute(
                text("UPDATE instruments SET tradable = false WHERE symbol = 'HALT'")
            )
    async with processor():
        reply = await desk.ask(command)
        assert isinstance(reply, OrdersReply)
        assert [order.client_order_id for order in reply.orders] == ["flat.IBM", "flat.SPY"]
        assert [(each.symbol, each.code) for each in reply.not_closed] == [
            ("HALT", "symbol_not_tradable")
        ]
        await feed.print(99.0)
        await feed.print(99.0, symbol="IBM")
        await until(lambda: desk.value("SELECT count(*) FROM positions WHERE qty <> 0") == 1)
        await buy(desk, feed, "1")
    async with processor():
        again = await desk.ask(command)
        assert isinstance(again, OrdersReply)
        assert again.repeated
        assert [order.status for order in again.orders] == ["filled", "filled"]
    assert desk.value("SELECT qty FROM positions WHERE symbol = 'SPY'") == 1
    ledger_adds_up(desk, [desk.account])
