import asyncio
import json
import sys
import time
from collections.abc import Sequence
from uuid import uuid4

import uvloop
from redis.asyncio import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from bench.machine import processor_s
from bench.measuring import report
from bench.servers import market
from shared.config import Settings
from shared.database.tables import InstrumentRow
from shared.models.identifiers import AccountId, Symbol
from shared.models.market import Candle, Candles, RunStarted, TimeMark, Trades
from shared.redis import make_redis, tape
from shared.redis.keys import order_commands
from shared.redis.tape import Phase

_SYMBOLS = [Symbol(f"S{number:02}") for number in range(50)]
_ORDERING = _SYMBOLS[::10]
_ACCOUNT_HOLDS = 10
_SLOW = 5
_MINUTE_NS = 60_000_000_000
_TIMEOUT_S = 300.0


def _prepare(engine: Engine, accounts: Sequence[AccountId], size: int) -> None:
    with Session(engine) as session, session.begin():
        known = session.get_one(InstrumentRow, "SPY")
        session.add_all(
            InstrumentRow(
                symbol=symbol,
                name=symbol,
                exchange=known.exchange,
                currency=known.currency,
                tick_size=known.tick_size,
                lot_size=known.lot_size,
                tradable=True,
            )
            for symbol in _SYMBOLS
        )
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO deployments (id, account_id, mode, strategy, parameters, symbols,"
                " timeframe, wanted, status, tape_cursor, signals, created_at, updated_at)"
                " VALUES (:id, :account, 'paper', 'sma_crossover', CAST(:parameters AS jsonb),"
                " CAST(:symbols AS jsonb), '1m', 'running', 'starting', '0-0', 0, now(), now())"
            ),
            [
                {
                    "id": uuid4(),
                    "account": accounts[number // _ACCOUNT_HOLDS],
                    "parameters": json.dumps({"fast": 2, "slow": _SLOW, "allocation": "1"}),
                    "symbols": json.dumps([_SYMBOLS[number % len(_SYMBOLS)]]),
                }
                for number in range(size)
            ],
        )


class Minutes:
    """Writes minutes as the engine does for a replay, at full speed."""

    def __init__(self, redis: Redis, shards: int) -> None:
        self._redis = redis
        self._pacer = tape.Pacer(redis, {f"orders:{shard}": "market" for shard in range(shards)})
        self._number = 0

    async def begin(self) -> None:
        await self._pacer.begin("bench")
        run = RunStarted(run_id="bench", source="replay", paced=True)
        await tape.append(self._redis, [run])

    async def play(self, prices: Sequence[float]) -> None:
        """Returns when every strategy has decided on it, and its orders are answered."""
        self._number += 1
        start_ns = self._number * _MINUTE_NS
        end_ns = start_ns + _MINUTE_NS
        candles = [
            Candle(symbol, "1m", start_ns, end_ns, price, price, price, price, 1.0, price, 1)
            for symbol, price in zip(_SYMBOLS, prices, strict=True)
        ]
        count = len(_SYMBOLS)
        prints = Trades(
            symbols=_SYMBOLS,
            symbol_index=list(range(count)),
            at_ns=[end_ns - 1] * count,
            price=list(prices),
            size=[1.0] * count,
        )
        await tape.append(self._redis, [prints, Candles(candles=candles), self._mark("market")])
        await self._pacer.wait("market", self._number)
        await tape.append(self._redis, [self._mark("strategy")])
        await self._pacer.wait("strategy", self._number)

    def _mark(self, phase: Phase) -> TimeMark:
        at_ns = (self._number + 1) * _MINUTE_NS
        return TimeMark(number=self._number, at_ns=at_ns, phase=phase, paced=True, run_id="bench")


async def _until_running(engine: Engine, size: int) -> None:
    running = text("SELECT count(*) FROM deployments WHERE status = 'running'")
    deadline = time.perf_counter() + _TIMEOUT_S
    while True:
        with engine.connect() as connection:
            if connection.execute(running).scalar_one() == size:
                return
        if time.perf_counter() > deadline:
            raise TimeoutError("not all strategies started")
        await asyncio.sleep(0.1)


async def _submitted(redis: Redis, shards: int) -> int:
    added = 0
    for shard in range(shards):
        if await redis.exists(order_commands(shard)):
            added += (await redis.xinfo_stream(order_commands(shard)))["entries-added"]
    return added


async def _run(
    settings: Settings, engine: Engine, size: int, worker: int
) -> tuple[float, float, float, float]:
    redis = make_redis(settings)
    shards = settings.order_shards
    try:
        came = time.perf_counter()
        await _until_running(engine, size)
        started_s = time.perf_counter() - came
        minutes = Minutes(redis, shards)
        await minutes.begin()
        for number in range(_SLOW + 2):
            await asyncio.wait_for(minutes.play([100.0 - number] * len(_SYMBOLS)), _TIMEOUT_S)
        orders = sum(_SYMBOLS[number % len(_SYMBOLS)] in _ORDERING for number in range(size))
        wanted = await _submitted(redis, shards) + orders
        prices = [150.0 if symbol in _ORDERING else 90.0 for symbol in _SYMBOLS]
        cpu_s = processor_s(worker)
        began = time.perf_counter()
        playing = asyncio.create_task(minutes.play(prices))
        while await _submitted(redis, shards) < wanted:
            if time.perf_counter() - began > _TIMEOUT_S:
                raise TimeoutError("not all orders came")
            await asyncio.sleep(0.002)
        submitted_s = time.perf_counter() - began
        await asyncio.wait_for(playing, _TIMEOUT_S)
        all_s = time.perf_counter() - began
        return submitted_s, all_s, started_s, processor_s(worker) - cpu_s
    finally:
        await redis.aclose()


def main() -> None:
    size = int(sys.argv[1])
    with (
        market(-(-size // _ACCOUNT_HOLDS)) as (running, engine, accounts),
        running.service("order_processor", "ORDER_PROCESSOR_PORT"),
    ):
        _prepare(engine, accounts, size)
        with running.service("strategy_workers", "STRATEGY_WORKERS_PORT") as (worker, _):
            submitted_s, all_s, started_s, cpu_s = uvloop.run(
                _run(running.settings(), engine, size, worker)
            )
    figures = {"all_ms": round(all_s * 1000, 1), "started_ms": round(started_s * 1000)}
    report(size, submitted_s, cpu_s, figures=figures)


if __name__ == "__main__":
    main()
