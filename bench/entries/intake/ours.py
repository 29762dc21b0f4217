import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from uuid import uuid4

import uvloop
from redis.asyncio import Redis
from sqlalchemy import text

from bench.machine import processor_s
from bench.measuring import report
from bench.servers import market, percentile_ms
from shared.config import Settings
from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import OpenBooks, OrderReply, Reply, SubmitOrder
from shared.redis import make_redis
from shared.redis.requests import OrderRequests

_TASKS = 16
_PIPELINE = 32
_PACED_ORDERS = 2_500
_PACE_S = 1 / 500
_TIMEOUT_S = 60.0


class Client:
    def __init__(self, redis: Redis, settings: Settings, accounts: Sequence[AccountId]) -> None:
        self._requests = OrderRequests(redis, settings.order_shards)
        self._accounts = accounts

    async def open_books(self) -> None:
        books = [
            OpenBooks(
                request_id=uuid4().hex,
                reply_to=self._requests.reply_to,
                account_id=account,
                mode="paper",
            )
            for account in self._accounts
        ]
        await self._requests.ask_all(books, _TIMEOUT_S)

    async def run(self, orders: int, processor: int) -> tuple[float, float, list[float]]:
        """Wall clock and processor time of `orders`, then latencies at an even rate."""
        async with self._requests.listening():
            await self.open_books()
            cpu_s, began = processor_s(processor), time.perf_counter()
            numbers = iter(range(0, orders, _PIPELINE))
            async with asyncio.TaskGroup() as group:
                for _ in range(_TASKS):
                    group.create_task(self._send(numbers, orders))
            wall_s = time.perf_counter() - began
            cpu_s = processor_s(processor) - cpu_s
            return wall_s, cpu_s, await self._paced()

    async def _send(self, numbers: Iterator[int], orders: int) -> None:
        for first in numbers:
            last = min(first + _PIPELINE, orders)
            commands = [self._order(number) for number in range(first, last)]
            replies = await self._requests.ask_all(commands, _TIMEOUT_S)
            if len(replies) < len(commands):
                raise RuntimeError("not all orders were answered")
            for reply in replies.values():
                _check(reply)

    async def _paced(self) -> list[float]:
        async def timed(number: int, due: float) -> float:
            # From when it should have been sent: a client that lags hides nothing.
            _check(await self._requests.ask(self._order(number), _TIMEOUT_S))
            return time.perf_counter() - due

        begin = time.perf_counter()
        tasks = []
        for number in range(_PACED_ORDERS):
            due = begin + number * _PACE_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(timed(number, due)))
        return await asyncio.gather(*tasks)

    def _order(self, number: int) -> SubmitOrder:
        return SubmitOrder(
            request_id=uuid4().hex,
            reply_to=self._requests.reply_to,
            account_id=self._accounts[number % len(self._accounts)],
            mode="paper",
            client_order_id=uuid4().hex,
            submitted_by="user:11111111-1111-1111-1111-111111111111",
            symbol=Symbol("SPY"),
            side="buy",
            order_type="limit",
            time_in_force="gtc",
            qty=Decimal(1),
            limit_price=Decimal("101.25"),
        )


def _check(reply: Reply) -> None:
    if not isinstance(reply, OrderReply) or reply.order.status != "accepted":
        raise TypeError(f"not accepted: {reply}")


async def _run(
    settings: Settings, accounts: Sequence[AccountId], orders: int, processor: int
) -> tuple[float, float, list[float]]:
    redis = make_redis(settings)
    try:
        return await Client(redis, settings, accounts).run(orders, processor)
    finally:
        await redis.aclose()


def main(orders: int, accounts: int) -> None:
    with (
        market(accounts) as (running, engine, opened),
        running.service("order_processor", "ORDER_PROCESSOR_PORT") as (pid, _),
    ):
        wall_s, cpu_s, latencies = uvloop.run(_run(running.settings(), opened, orders, pid))
        with engine.connect() as connection:
            stored = connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
    figures = {"p50_ms": percentile_ms(latencies, 0.5), "p99_ms": percentile_ms(latencies, 0.99)}
    report(orders, wall_s, cpu_s, {"stored": stored - _PACED_ORDERS}, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
