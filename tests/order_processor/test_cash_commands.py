"""Cash through a real order processor: entered once, told, and never lost between accounts."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
from redis.asyncio import Redis

from order_processor.settings import OrderProcessorSettings
from order_processor.transfers.courier import Courier
from order_processor.wiring import Wiring, wire
from shared.models.cash import CashMoved, CashReply, MoveCash, arriving_half, transfer_id_of
from shared.models.identifiers import AccountId
from shared.models.orders import Refusal
from shared.models.topics import account_topic
from shared.redis.topics import frames_after
from tests.order_processor.support import (
    Desk,
    Feed,
    add_account,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)

D = Decimal
Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


def move(desk: Desk, kind: Any, amount: str, name: str = "x", **more: Any) -> MoveCash:
    return MoveCash(
        **{
            "request_id": uuid4().hex,
            "reply_to": desk.requests.reply_to,
            "account_id": desk.account,
            "mode": "paper",
            "client_entry_id": name,
            "submitted_by": "user:1",
            "kind": kind,
            "amount": D(amount),
            "currency": "USD",
            **more,
        }
    )


def leaving(desk: Desk, amount: str, to: AccountId, name: str = "t") -> MoveCash:
    transfer_id = transfer_id_of(desk.account, "paper", name)
    return move(desk, "transfer", amount, name, transfer_id=transfer_id, counterpart_id=to)


def entries(desk: Desk, account: AccountId) -> list[tuple[Any, ...]]:
    rows = desk.rows(
        "SELECT kind, amount, balance FROM ledger_entries WHERE account_id = :a ORDER BY seq",
        a=account,
    )
    return [tuple(row) for row in rows]


async def entered(desk: Desk, command: MoveCash) -> CashReply:
    reply = await desk.ask(command)
    assert isinstance(reply, CashReply), reply
    return reply


async def test_cash_is_entered_once_however_often_it_is_sent_and_by_whichever_owner(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async with processor():
        first = await entered(desk, move(desk, "deposit", "500.5", reason="savings"))
        again = await entered(desk, move(desk, "deposit", "500.50", reason="savings"))
        assert (first.entry.balance, first.repeated) == (D("100500.5"), False)
        assert (again.entry, again.repeated) == (first.entry, True)
    async with processor():  # with nothing of it in memory
        after = await entered(desk, move(desk, "deposit", "500.5", reason="savings"))
        assert (after.entry, after.repeated) == (first.entry, True)
        for other in (
            move(desk, "deposit", "500.5"),
            move(desk, "deposit", "500.51", reason="savings"),
            move(desk, "withdrawal", "-1"),
        ):
            conflict = await desk.ask(other)
            assert isinstance(conflict, Refusal)
            assert conflict.code == "client_entry_id_conflict"
        await feed.print(100.0)
        await desk.submit("buy", "1000", limit="90")
        refused = await desk.ask(move(desk, "withdrawal", "-10500.51", "w"))
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.limit, refused.observed) == (
            "insufficient_cash",
            "10500.5",
            "10500.51",
        )
        await entered(desk, move(desk, "withdrawal", "-10500.5", "w"))
    assert entries(desk, desk.account) == [
        ("deposit", 100_000, 100_000),
        ("deposit", D("500.5"), D("100500.5")),
        ("withdrawal", D("-10500.5"), 90_000),
    ]
    frames = await frames_after(redis, account_topic(desk.account, "paper", "cash"), 0)
    assert frames is not None
    told = [
        msgspec.convert(msgspec.json.decode(frame)["data"], CashMoved, strict=False)
        for _, frame in frames
    ]
    assert [(each.entry.kind, each.entry.balance) for each in told] == [
        ("deposit", 100_000),
        ("deposit", D("100500.5")),
        ("withdrawal", 90_000),
    ]
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


async def test_bad_input_enters_nothing(processor: Processor, desk: Desk) -> None:
    stranger = AccountId(uuid4())
    async with processor():
        await desk.open_books()
        for command, code in (
            (move(desk, "deposit", "NaN"), "invalid_amount"),
            (move(desk, "deposit", "1", "a\x00b"), "invalid_entry"),
            (move(desk, "deposit", "1", mode="live"), "mode_not_available"),
            (move(desk, "deposit", "1", account_id=stranger), "not_found"),
            (leaving(desk, "-1", stranger), "not_found"),
            (leaving(desk, "-1", desk.account), "same_account"),
        ):
            if command.account_id == stranger:
                refused = await desk.requests.ask(command, 60)
            else:
                refused = await desk.ask(command)
            assert isinstance(refused, Refusal), command
            assert refused.code == code, refused
    assert entries(desk, desk.account) == [("deposit", 100_000, 100_000)]


async def test_what_left_arrives_though_its_sender_died_in_between(
    processor_settings: OrderProcessorSettings, desk: Desk, redis: Redis
) -> None:
    """The gateway died after the first half; two couriers find it, and it arrives once."""
    other = add_account(desk.engine, capital="50")
    settings = processor_settings.model_copy(update={"order_transfer_retry_s": 0.02})
    async with wire(settings):
        left = await entered(desk, leaving(desk, "-30", other))
        assert left.entry.balance == 99_970
        courier = Courier(desk.engine, redis, settings.order_shards, 0.0)
        await asyncio.gather(courier.deliver(), courier.deliver())
        await until(lambda: len(entries(desk, other)) == 2)
        # The gateway comes back: nothing is entered a second time.
        half = arriving_half(desk.account, "paper", left.entry, uuid4().hex, desk.requests.reply_to)
        late = await entered(desk, half)
        assert (late.entry.balance, late.repeated) == (80, True)
        again = await entered(desk, leaving(desk, "-30", other))
        assert again.repeated
    assert entries(desk, desk.account)[1:] == [("transfer", -30, 99_970)]
    assert entries(desk, other) == [("deposit", 50, 50), ("transfer", 30, 80)]
    ledger_adds_up(desk, [desk.account, other])
