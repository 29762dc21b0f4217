"""Brackets, OTO and OCO through the service: also sent twice, and after a crash."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec

from order_processor.wiring import Wiring
from shared.models.identifiers import Symbol
from shared.models.orders import (
    OrderReply,
    ProtectionStop,
    ProtectionTarget,
    ProtectPosition,
    Refusal,
    StopLoss,
    SubmitOrder,
    TakeProfit,
)
from tests.order_processor.support import Desk, Feed, frames_are_gap_free, ledger_adds_up, until

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
D = Decimal


def bracket(desk: Desk, name: str, **more: Any) -> SubmitOrder:
    exits: dict[str, Any] = {
        "take_profit": TakeProfit(limit_price=D(110)),
        "stop_loss": StopLoss(stop_price=D(95)),
    }
    return desk.command(client_order_id=name, order_class="bracket", **exits | more)


async def submitted(desk: Desk, command: SubmitOrder) -> OrderReply:
    reply = await desk.ask(command)
    assert isinstance(reply, OrderReply), reply
    return reply


def stored(desk: Desk) -> dict[str, str]:
    return {
        row.client_order_id: row.status
        for row in desk.rows("SELECT client_order_id, status FROM orders ORDER BY seq")
    }


async def test_a_bracket_lives_through_crashes_and_repetitions(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    command = bracket(desk, "b", limit="100", time_in_force="gtc")
    async with processor():
        first = await submitted(desk, command)
        assert [leg.status for leg in first.legs] == ["held", "held"]
    async with processor():
        again = await submitted(desk, command)
        assert (again.repeated, again.order.id) == (True, first.order.id)
        assert [leg.id for leg in again.legs] == [leg.id for leg in first.legs]
        changed = msgspec.structs.replace(command, stop_loss=StopLoss(stop_price=D(96)))
        for other in (changed, desk.command(client_order_id="b.take_profit")):
            conflict = await desk.ask(other)
            assert isinstance(conflict, Refusal)
            assert conflict.code == "client_order_id_conflict"
        await feed.print(111.0, 99.0)
        await until(lambda: desk.status(first.order.id) == "filled")
        assert stored(desk) == {
            "b": "filled",
            "b.take_profit": "accepted",
            "b.stop_loss": "accepted",
        }
    async with processor():
        # The position is kept once, by both.
        held = await desk.submit("sell", "1", limit="200")
        assert held.reason_code == "insufficient_position"
        await feed.print(94.0)
        await until(lambda: desk.value("SELECT qty FROM positions") == 0)
        assert stored(desk)["b.take_profit"] == "cancelled"
        last = await submitted(desk, command)
        assert (last.repeated, last.order.status) == (True, "filled")
    steps = desk.rows(
        "SELECT to_status FROM order_transitions JOIN orders o ON o.id = order_id"
        " WHERE o.client_order_id = 'b.take_profit' ORDER BY order_transitions.seq"
    )
    assert [row.to_status for row in steps] == ["new", "held", "accepted", "cancelled"]
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


async def test_the_exits_of_an_oco_are_cancelled_together(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        order = await desk.submit("buy", "10")
        await feed.print(100.0)
        await until(lambda: desk.status(order.id) == "filled")
        oco = msgspec.structs.replace(
            bracket(desk, "out"), side="sell", order_class="oco", order_type="limit"
        )
        reply = await submitted(desk, oco)
        assert (reply.order.group_role, reply.order.limit_price) == ("take_profit", 110)
    async with processor():
        [stop] = reply.legs
        cancelled = await desk.cancel(stop.id)
        assert isinstance(cancelled, OrderReply)
        assert (cancelled.order.id, cancelled.order.status) == (stop.id, "cancelled")
        assert desk.status(reply.order.id) == "cancelled"
        again = await desk.ask(oco)
        assert isinstance(again, OrderReply)
        assert again.repeated
    frames_are_gap_free(desk)


async def test_a_protection_follows_its_position_through_crashes_and_repetitions(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    def protection(name: str, symbol: str = "SPY") -> ProtectPosition:
        return ProtectPosition(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
            client_order_id=name,
            submitted_by="user:1",
            symbol=Symbol(symbol),
            take_profit=ProtectionTarget(percent=D(5)),
            stop_loss=ProtectionStop(percent=D(2)),
        )

    async with processor():
        nothing = await desk.ask(protection("early"))
        assert isinstance(nothing, Refusal)
        assert nothing.code == "position_not_open"
        await feed.print(100.0)
        order = await desk.submit("buy", "10")
        await feed.print(100.0)
        await until(lambda: desk.status(order.id) == "filled")
        first = await desk.ask(protection("guard"))
        assert isinstance(first, OrderReply), first
    async with processor():
        again = await desk.ask(protection("guard"))
        assert isinstance(again, OrderReply)
        assert (again.repeated, again.order.id, len(again.legs)) == (True, first.order.id, 1)
        taken = await desk.refused("sell", "1", client_order_id="guard")
        assert taken.code == "client_order_id_conflict"
        more = await desk.submit("buy", "5")
        await feed.print(100.0)
        await until(lambda: desk.status(more.id) == "filled")
        assert desk.rows("SELECT DISTINCT qty FROM orders WHERE protects_position") == [(15,)]
    async with processor():
        await feed.print(97.0)
        await until(lambda: desk.value("SELECT qty FROM positions") == 0)
        assert desk.status(first.order.id) == "cancelled"
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)
