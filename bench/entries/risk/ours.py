import asyncio
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from uuid import uuid4

import uvloop
from redis.asyncio import Redis
from sqlalchemy import Engine, text
from sqlalchemy.sql.elements import TextClause

from bench.machine import processor_s
from bench.measuring import report
from bench.servers import market
from shared.config import Settings
from shared.models.identifiers import AccountId, Symbol
from shared.models.market import Trades
from shared.models.orders import OrderReply, SubmitOrder
from shared.redis import make_redis, tape
from shared.redis.requests import OrderRequests

_SYMBOLS = [Symbol(f"S{number:02}") for number in range(50)]
_TIMEOUT_S = 60.0
_LATCHED = text("SELECT count(*) FROM account_risk WHERE state ->> 'loss' IS NOT NULL")
_FILLED = text("SELECT count(*) FROM positions WHERE qty <> 0")


def _prepare(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO instruments SELECT s, s, exchange, currency, tick_size, lot_size,"
                " tradable, shortable, borrow_fee_bps, created_at"
                " FROM instruments, unnest(CAST(:symbols AS text[])) AS s"
                " WHERE symbol = 'SPY'"
            ),
            {"symbols": _SYMBOLS},
        )
        connection.execute(
            text(
                "INSERT INTO risk_limits (level, subject, mode, limits, version, changed_by,"
                " changed_at) VALUES ('platform', '', 'paper',"
                ' \'{"max_loss": "1000", "flatten_on_loss": true}\', 1, \'bench\', now())'
            )
        )
        connection.execute(
            text(
                "INSERT INTO risk_platform (id, version, halts, halted, flatten, reason,"
                " changed_by, changed_at) VALUES (1, 1, 0, false, false, '', '', now())"
            )
        )


def _prints(price: float) -> Trades:
    count = len(_SYMBOLS)
    return Trades(
        symbols=_SYMBOLS,
        symbol_index=list(range(count)),
        at_ns=[time.time_ns()] * count,
        price=[price] * count,
        size=[1.0] * count,
    )


class Client:
    def __init__(self, redis: Redis, settings: Settings, engine: Engine) -> None:
        self._redis = redis
        self._engine = engine
        self._requests = OrderRequests(redis, settings.order_shards)

    async def run(self, accounts: Sequence[AccountId], processor: int) -> tuple[float, ...]:
        """Seconds to the first latch and to the last, and processor time."""
        async with self._requests.listening():
            await tape.append(self._redis, [_prints(100.0)])
            await self._order(accounts, None)
            await tape.append(self._redis, [_prints(100.0)])
            await self._until(_FILLED, len(accounts) * len(_SYMBOLS))
            await self._order(accounts, Decimal(1))
            cpu_s = processor_s(processor)
            began = time.perf_counter()
            await tape.append(self._redis, [_prints(90.0)])
            first_s = await self._until(_LATCHED, 1) - began
            wall_s = await self._until(_LATCHED, len(accounts)) - began
            return first_s, wall_s, processor_s(processor) - cpu_s

    async def _order(self, accounts: Sequence[AccountId], limit: Decimal | None) -> None:
        """Ten of each symbol for each account: at the market, or resting at `limit`."""
        for account in accounts:
            orders = [
                SubmitOrder(
                    request_id=uuid4().hex,
                    reply_to=self._requests.reply_to,
                    account_id=account,
                    mode="paper",
                    client_order_id=uuid4().hex,
                    submitted_by="user:11111111-1111-1111-1111-111111111111",
                    symbol=symbol,
                    side="buy",
                    order_type="market" if limit is None else "limit",
                    time_in_force="gtc",
                    qty=Decimal(10),
                    limit_price=limit,
                )
                for symbol in _SYMBOLS
            ]
            replies = await self._requests.ask_all(orders, _TIMEOUT_S)
            taken = [r for r in replies.values() if isinstance(r, OrderReply)]
            if [reply.order.status for reply in taken] != ["accepted"] * len(orders):
                raise RuntimeError(f"not accepted: {replies}")

    async def _until(self, question: TextClause, wanted: int) -> float:
        """When the answer had come to `wanted`."""
        deadline = time.perf_counter() + _TIMEOUT_S
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while connection.execute(question).scalar_one() < wanted:
                if time.perf_counter() > deadline:
                    raise TimeoutError(str(question))
                await asyncio.sleep(0.001)
            return time.perf_counter()


async def _run(
    settings: Settings, engine: Engine, accounts: Sequence[AccountId], processor: int
) -> tuple[float, ...]:
    redis = make_redis(settings)
    try:
        return await Client(redis, settings, engine).run(accounts, processor)
    finally:
        await redis.aclose()


def main(positions: int) -> None:
    with market(positions // len(_SYMBOLS)) as (running, engine, opened):
        _prepare(engine)
        with running.service("order_processor", "ORDER_PROCESSOR_PORT") as (pid, _):
            first_s, wall_s, cpu_s = uvloop.run(_run(running.settings(), engine, opened, pid))
            with engine.connect() as connection:
                closing = connection.execute(
                    text("SELECT count(*) FROM orders WHERE closes_position")
                ).scalar_one()
                cancelled = connection.execute(
                    text("SELECT count(*) FROM orders WHERE status = 'cancelled'")
                ).scalar_one()
    figures = {"first_ms": first_s * 1000, "all_ms": wall_s * 1000}
    report(positions, wall_s, cpu_s, {"closing": closing, "cancelled": cancelled}, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]))
