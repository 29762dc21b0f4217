import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from uuid import uuid4

import msgspec
import uvloop
from redis.asyncio import Redis
from sqlalchemy import text

from bench.entries.intake.sender import Line, Waiting, prepared
from bench.machine import processor_s
from bench.measuring import report
from bench.servers import Servers, market, percentile_ms
from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import OpenBooks, OrderReply, Reply, SubmitOrder
from shared.redis import make_redis
from shared.redis.keys import replies
from shared.redis.requests import OrderRequests

_TASKS = 16
_PIPELINE = 32
_PACED_ORDERS = 2_500
_PACE_S = 1 / 500
_TIMEOUT_S = 60.0
_REPLY_TO = replies("bench")


class Client:
    def __init__(self, running: Servers, redis: Redis, accounts: Sequence[AccountId]) -> None:
        self._running = running
        self._redis = redis
        self._shards = running.settings().order_shards
        self._requests = OrderRequests(redis, self._shards)
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
        async with self._requests.listening(), contextlib.AsyncExitStack() as stack:
            await self.open_books()
            pipelines = iter(self._pipelines(orders))
            lines = [await Line.to(self._running) for _ in range(_TASKS)]
            for line in lines:
                stack.callback(line.close)
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            stack.push_async_callback(pubsub.aclose)
            await pubsub.subscribe(_REPLY_TO)
            waiting = Waiting()
            cpu_s, began = processor_s(processor), time.perf_counter()
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(waiting.listen(pubsub))
                sending = [group.create_task(_send(line, waiting, pipelines)) for line in lines]
                await asyncio.wait(sending)
                wall_s = time.perf_counter() - began
                listening.cancel()
            cpu_s = processor_s(processor) - cpu_s
        # What this client still holds must not be looked through while answers are timed.
        gc.collect()
        gc.freeze()
        async with self._requests.listening():
            return wall_s, cpu_s, await self._paced()

    def _pipelines(self, orders: int) -> list[tuple[str, bytes, int]]:
        """Their numbers, commands, and how many: encoded before the clock runs."""
        pipelines = []
        for first in range(0, orders, _PIPELINE):
            last = min(first + _PIPELINE, orders)
            commands = [
                msgspec.structs.replace(
                    self._order(number), request_id=f"{first} {number}", reply_to=_REPLY_TO
                )
                for number in range(first, last)
            ]
            pipelines.append((str(first), prepared(commands, self._shards), len(commands)))
        return pipelines

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


async def _send(line: Line, waiting: Waiting, pipelines: Iterator[tuple[str, bytes, int]]) -> None:
    for number, commands, count in pipelines:
        answered = asyncio.create_task(waiting.all_of(number, count, _TIMEOUT_S))
        await asyncio.sleep(0)  # it waits from now on
        await line.send(commands, count)
        await answered


async def _run(
    running: Servers, accounts: Sequence[AccountId], orders: int, processor: int
) -> tuple[float, float, list[float]]:
    redis = make_redis(running.settings())
    try:
        return await Client(running, redis, accounts).run(orders, processor)
    finally:
        await redis.aclose()


def main(orders: int, accounts: int) -> None:
    with (
        market(accounts) as (running, engine, opened),
        running.service("order_processor", "ORDER_PROCESSOR_PORT") as (pid, _),
    ):
        wall_s, cpu_s, latencies = uvloop.run(_run(running, opened, orders, pid))
        with engine.connect() as connection:
            stored = connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
    figures = {"p50_ms": percentile_ms(latencies, 0.5), "p99_ms": percentile_ms(latencies, 0.99)}
    report(orders, wall_s, cpu_s, {"stored": stored - _PACED_ORDERS}, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
