"""Traders who never give up, and remember every answer that they were given."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

import msgspec
from redis.exceptions import RedisError

from shared.models.cash import CashReply, MoveCash
from shared.models.identifiers import AccountId, OrderId, Symbol
from shared.models.orders import (
    CancelOrder,
    Command,
    Order,
    OrderReply,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.redis.requests import AnswerOverdueError, OrderRequests

SYMBOLS = ("SIM-RANGE", "SIM-TREND")
_ANSWER_WAIT_S = 1.0
#: From the first attempt to an answer, whatever dies meanwhile.
PATIENCE_S = 60.0
_USER = "user:11111111-1111-1111-1111-111111111111"
#: What may happen to a command about an order that has ended in the meantime.
_TOO_LATE = {"order_not_working"}


@dataclass
class Trader:
    """One account's client. Commands go one after another, each until it is answered."""

    account: AccountId
    requests: OrderRequests
    chance: random.Random
    #: First answers, by the name that makes a command the same again.
    orders: dict[str, tuple[SubmitOrder | ReplaceOrder, Order]] = field(default_factory=dict)
    deposits: dict[str, tuple[MoveCash, CashReply]] = field(default_factory=dict)
    cancelled: dict[OrderId, Order] = field(default_factory=dict)
    #: Sent, and perhaps not answered yet.
    sent: set[str] = field(default_factory=set)
    answers: int = 0
    repeats: int = 0

    async def trade(self) -> None:
        """Until cancelled; better call `stop`, so that the last command is answered, too."""
        while not self._stopping:
            await self.act()

    _stopping: bool = False

    def stop(self) -> None:
        self._stopping = True

    async def act(self) -> None:
        roll = self.chance.random()
        working = [order for _, order in self.orders.values() if order.status == "accepted"]
        if roll < 0.10 and working:
            await self._cancel(self.chance.choice(working).id)
        elif roll < 0.20 and working:
            await self._replace(self.chance.choice(working))
        elif roll < 0.28:
            await self._deposit()
        elif roll < 0.36 and self.orders:
            await self.ask_again(self.chance.choice(list(self.orders)))
        else:
            await self._submit()
        self.answers += 1

    async def ask_again(self, name: str) -> None:
        """The same command gets the first answer, not another order."""
        command, first = self.orders[name]
        reply = await self.insist(command)
        assert isinstance(reply, OrderReply), (name, reply)
        assert reply.repeated, f"{name} was carried out again"
        assert _lasting(reply.order) == _lasting(first), name
        self.repeats += 1

    async def ask_for_deposit_again(self, name: str) -> None:
        command, first = self.deposits[name]
        reply = await self.insist(command)
        assert isinstance(reply, CashReply), (name, reply)
        assert (reply.repeated, reply.entry) == (True, first.entry), name
        self.repeats += 1

    async def _submit(self) -> None:
        limit = self.chance.choice([None, None, "1.00", "100000.00"])
        command = SubmitOrder(
            **self._named(),
            submitted_by=_USER,
            symbol=Symbol(self.chance.choice(SYMBOLS)),
            side=self.chance.choice(("buy", "buy", "sell")),
            order_type="market" if limit is None else "limit",
            time_in_force="gtc",
            qty=Decimal(self.chance.randint(1, 9)),
            limit_price=None if limit is None else Decimal(limit),
        )
        await self._order(command)

    async def _replace(self, old: Order) -> None:
        qty = Decimal(self.chance.randint(1, 9))
        await self._order(
            ReplaceOrder(**self._named(), order_id=old.id, submitted_by=_USER, qty=qty)
        )

    async def _order(self, command: SubmitOrder | ReplaceOrder) -> None:
        name = command.client_order_id
        self.sent.add(name)
        reply = await self.insist(command)
        if isinstance(reply, Refusal):
            assert isinstance(command, ReplaceOrder), reply
            assert reply.code in _TOO_LATE, reply
            return
        assert isinstance(reply, OrderReply), reply
        assert reply.order.client_order_id == name
        self.orders[name] = (command, reply.order)

    async def _cancel(self, order_id: OrderId) -> None:
        named = self._named()
        del named["client_order_id"]
        reply = await self.insist(CancelOrder(**named, order_id=order_id, submitted_by=_USER))
        if isinstance(reply, Refusal):
            # Also the answer when the first attempt was carried out and its answer got lost.
            assert reply.code in _TOO_LATE, reply
            return
        assert isinstance(reply, OrderReply), reply
        assert reply.order.status == "cancelled"
        self.cancelled[order_id] = reply.order

    async def _deposit(self) -> None:
        named = self._named()
        name = named.pop("client_order_id")
        command = MoveCash(
            **named, client_entry_id=name, submitted_by=_USER, kind="deposit",
            amount=Decimal("1.25"), currency="USD",
        )  # fmt: skip
        reply = await self.insist(command)
        assert isinstance(reply, CashReply), reply
        self.deposits[name] = (command, reply)

    async def insist(self, command: Command) -> Reply:
        """Ask until there is an answer. Each attempt is a request of its own, as over HTTP."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            attempt = msgspec.structs.replace(command, request_id=uuid4().hex)
            with contextlib.suppress(AnswerOverdueError, RedisError, OSError):
                return await self.requests.ask(attempt, _ANSWER_WAIT_S)
            assert time.monotonic() < deadline, f"no answer to {command}"
            await asyncio.sleep(0.05)  # Redis may refuse in no time

    def _named(self) -> dict[str, object]:
        return {
            "request_id": "",
            "reply_to": self.requests.reply_to,
            "account_id": self.account,
            "mode": "paper",
            "client_order_id": uuid4().hex,
        }


def _lasting(order: Order) -> tuple[object, ...]:
    """What no later event changes."""
    rejected = order.status == "rejected" and order.reason_code
    return (order.id, order.client_order_id, order.seq, order.submitted_at, rejected)
