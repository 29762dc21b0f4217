"""The order path in motion: servers, processes, a paced market, and traders under load."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from cli.embedded.servers import Postgres, Valkey
from shared.config import Settings
from shared.database import make_engine
from shared.redis import make_redis
from shared.redis.keys import LAST_PRICES
from shared.redis.requests import OrderRequests
from shared.service.internal import INTERNAL_TOKEN_HEADER
from shared.trading.paper_terms import parse_paper_terms
from shared.utils.tasks import end_tasks
from tests.chaos.checker import check, rows
from tests.chaos.lines import Line
from tests.chaos.processes import ServiceProcess, environment_of
from tests.chaos.traffic import PATIENCE_S, SYMBOLS, Trader
from tests.order_processor.support import add_account

_TRADERS = 6
_PROCESSORS = 2
#: Answers that each trader must get before and after a disturbance.
_STEPS = 6
#: Orders fill in parts, and cost something.
_TERMS = parse_paper_terms(
    {
        "commission": {"model": "percent", "bps": "3"},
        "slippage": {"model": "square_root", "bps": "5"},
        "participation_percent": "50",
    }
)
_MARKET: dict[str, Any] = {
    "synthetic": {"symbols": list(SYMBOLS), "minutes": 50_000, "trades_per_minute": 60},
    "speed": 20.0,
}


async def until(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> None:
    """`condition` may be a coroutine function; while a server is away it isn't true."""
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(RedisError, SQLAlchemyError, OSError):
            value = condition()
            if await value if asyncio.iscoroutine(value) else value:
                return
        assert time.monotonic() < deadline, f"in {timeout_s:.0f} s this did not come true: {what}"
        await asyncio.sleep(0.02)


@dataclass
class World:
    settings: Settings
    postgres: Postgres
    valkey: Valkey
    chance: random.Random
    engine: Engine
    redis: Redis
    processors: list[ServiceProcess]
    market: ServiceProcess
    postgres_line: Line
    redis_line: Line
    traders: list[Trader] = field(default_factory=list)
    #: Runs that were started: the first, and one more after each that failed.
    runs: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    # --- disturbing it -----------------------------------------------------------------------

    async def some_time(self, most_s: float = 0.4) -> None:
        """A moment that the seed chooses: nobody waits for anything to be done."""
        await asyncio.sleep(self.chance.uniform(0, most_s))

    async def progress(self, steps: int = _STEPS) -> None:
        """Returns when every trader has been given so many more answers."""
        wanted = [trader.answers + steps for trader in self.traders]

        def done() -> bool:
            self.raise_failures()
            return all(
                trader.answers >= least for trader, least in zip(self.traders, wanted, strict=True)
            )

        await until(done, "every trader is answered again", 2 * PATIENCE_S)

    async def fills(self, more: int = 5) -> None:
        """Returns when the market has filled further orders: time goes on."""
        wanted = self._executions() + more
        await until(lambda: self._executions() >= wanted, "orders fill again")

    def raise_failures(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def restart_valkey(self, *, empty: bool, server: Valkey | None = None) -> None:
        server = server or self.valkey
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        if empty:
            for file in (server.folder / "appendonlydir").iterdir():
                file.unlink()
        # Here and in no other thread: a server ends with the thread that started it.
        server.launch()
        await until(server.answers, "Valkey answers")

    async def restart_postgres(self) -> None:
        """Immediately, as after a crash: nothing is written first, connections are reset."""
        assert self.postgres.process is not None
        self.postgres.process.send_signal(signal.SIGQUIT)
        await asyncio.to_thread(self.postgres.process.wait)
        self.postgres.launch()
        await until(self.postgres.answers, "Postgres answers")

    # --- when it is over -----------------------------------------------------------------------

    async def calm_down_and_check(self) -> None:
        for trader in self.traders:
            trader.stop()
        done, _ = await asyncio.wait(self._tasks[1:], timeout=2 * PATIENCE_S)
        self.raise_failures()
        assert len(done) == len(self._tasks) - 1, "a trader was never answered"
        async with asyncio.TaskGroup() as asking:
            for trader in self.traders:
                for name in trader.orders:
                    asking.create_task(trader.ask_again(name))
                for name in trader.deposits:
                    asking.create_task(trader.ask_for_deposit_again(name))
        await end_tasks(self._tasks)
        self._tasks.clear()
        self.market.end()
        for process in self.processors:
            process.signal(signal.SIGTERM)
        # In threads: our loop is their line to the servers.
        await asyncio.gather(*(asyncio.to_thread(process.wait) for process in self.processors))
        check(self.engine, self.traders)

    def _executions(self) -> int:
        return int(rows(self.engine, "SELECT count(*) FROM executions")[0][0])

    # --- what goes on in it --------------------------------------------------------------------

    async def begin(self) -> None:
        self.market.start()
        for process in self.processors:
            process.start()
        self._tasks.append(asyncio.create_task(self._keep_a_market(), name="market"))
        await until(self._is_trading, "the market has prices")
        self._tasks += [
            asyncio.create_task(trader.trade(), name=f"trader-{trader.account}")
            for trader in self.traders
        ]

    async def _is_trading(self) -> bool:
        self.raise_failures()
        owned = rows(self.engine, "SELECT count(*) FROM leases WHERE kind = 'order_shard'")
        prices = await self.redis.hlen(LAST_PRICES)
        return bool(prices == len(SYMBOLS) and owned[0][0] == self.settings.order_shards)

    async def _keep_a_market(self) -> None:
        """An administrator who starts the next run when one has failed."""
        token = self.settings.internal_token.get_secret_value()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.market.port}/internal",
            headers={INTERNAL_TOKEN_HEADER: token},
        ) as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await http.post("/replays", json=_MARKET)
                    if answer.status_code == 201:
                        self.runs += 1
                await asyncio.sleep(0.25)


@contextlib.asynccontextmanager
async def running_world(
    settings: Settings,
    postgres: Postgres,
    valkey: Valkey,
    chance: random.Random,
    calendar_folder: Path,
    folder: Path,
    *,
    environment: dict[str, str],
) -> AsyncIterator[World]:
    """`environment` is that of the order processors."""
    async with contextlib.AsyncExitStack() as stack:
        postgres_line = await stack.enter_async_context(Line(settings.db_port).open())
        redis_line = await stack.enter_async_context(Line(settings.redis_port).open())
        shared = environment_of(settings) | {"CALENDAR_FOLDER": str(calendar_folder)}
        of_processors = shared | {
            "DB_PORT": str(postgres_line.port),
            # A cluster's nodes tell of each other: there is no line to all of them.
            "REDIS_PORT": str(settings.redis_port if settings.redis_cluster else redis_line.port),
            "ORDER_PROCESSOR_MAX_SHARDS": str(settings.order_shards),
        }
        world = World(
            settings=settings,
            postgres=postgres,
            valkey=valkey,
            chance=chance,
            engine=make_engine(settings),
            redis=make_redis(settings),
            processors=[
                ServiceProcess(
                    "order_processor",
                    "ORDER_PROCESSOR_PORT",
                    folder / f"orders-{number}.log",
                    of_processors | environment,
                )
                for number in range(_PROCESSORS)
            ],
            market=ServiceProcess(
                "market_data_engine",
                "MARKET_DATA_PORT",
                folder / "market.log",
                shared | {"MARKET_DATA_FOLDER": str(folder / "market")},
            ),
            postgres_line=postgres_line,
            redis_line=redis_line,
        )
        stack.callback(world.engine.dispose)
        stack.push_async_callback(world.redis.aclose)
        requests = OrderRequests(world.redis, settings.order_shards)
        await stack.enter_async_context(requests.listening())
        for _ in range(_TRADERS):
            account = add_account(world.engine, capital="1000000", paper=_TERMS)
            world.traders.append(Trader(account, requests, random.Random(chance.random())))
        try:
            await world.begin()
            await world.progress()
            yield world
        finally:
            await end_tasks(world._tasks)
            for process in (*world.processors, world.market):
                process.end()
