import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvloop
from redis.asyncio import Redis
from sqlalchemy import text
from websockets.asyncio.server import ServerConnection, serve

from bench.machine import processor_s
from bench.measuring import report
from bench.servers import percentile_ms, servers
from cli.embedded.servers import free_port
from market_data_engine.instruments.actions import add_symbols
from shared.database import make_engine
from shared.database.migrate import upgrade
from shared.models.market import Trades
from shared.redis import make_redis, tape
from shared.utils.tasks import end_tasks

_DURATION_S = 10
_FRAMES_A_SECOND = 200
_TIME = b"@time"
_MINUTE_S = 60
_PATIENCE_S = 120.0

Start = Callable[[], contextlib.AbstractContextManager[tuple[int, int]]]


@dataclass(frozen=True)
class Result:
    wall_s: float
    cpu_s: float
    outcomes: dict[str, int]
    latencies_s: list[float]
    memory_mb: float


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the engine is gone")


def frames(symbols: Sequence[str], prints: int) -> list[bytes]:
    """All that the vendor says, with a mark where the time belongs."""
    numbers = random.Random(20131007)
    count = _DURATION_S * _FRAMES_A_SECOND
    made, number = [], 0
    for frame in range(count):
        messages = []
        while number < prints * (frame + 1) // count:
            number += 1
            symbol = symbols[numbers.randrange(len(symbols))]
            price = 100 + numbers.randrange(200) / 100
            messages.append(
                f'{{"T":"t","S":"{symbol}","i":{number},"x":"V","p":{price},'
                f'"s":{numbers.randrange(1, 500)},"t":"@time","c":["@"],"z":"C"}}'
            )
        made.append(f"[{','.join(messages)}]".encode())
    return made


class Vendor:
    """Alpaca's words for one client."""

    def __init__(self) -> None:
        self._subscriber: asyncio.Future[ServerConnection] = (
            asyncio.get_running_loop().create_future()
        )

    async def serve(self, connection: ServerConnection) -> None:
        await connection.send('[{"T":"success","msg":"connected"}]')
        await connection.recv()
        await connection.send('[{"T":"success","msg":"authenticated"}]')
        await connection.recv()
        await connection.send('[{"T":"subscription","trades":[],"quotes":[]}]')
        self._subscriber.set_result(connection)
        await connection.wait_closed()

    async def minute_is_halfway(self) -> None:
        """Returns when a minute will end in the middle of what is told."""
        await self._subscriber
        await asyncio.sleep((_MINUTE_S - _DURATION_S / 2 - time.time()) % _MINUTE_S)

    async def tell(self, said: Sequence[bytes]) -> None:
        """At an even rate."""
        connection = await self._subscriber
        begin = time.perf_counter()
        for number, frame in enumerate(said):
            await asyncio.sleep(max(0.0, begin + number / _FRAMES_A_SECOND - time.perf_counter()))
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z").encode()
            await connection.send(frame.replace(_TIME, now).decode())


class Reader:
    """Reads the tape, and how old each print is by then."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.latencies_s: list[float] = []

    async def read(self) -> None:
        cursor = await tape.end_of_tape(self._redis)
        while True:
            for raw in await tape.read(self._redis, cursor, count=1000, block_ms=1000):
                cursor = raw.id
                entry = raw.decode() if raw.kind == "trades" else None
                if isinstance(entry, Trades):
                    now_ns = time.time_ns()
                    self.latencies_s += [(now_ns - at_ns) / 1e9 for at_ns in entry.at_ns]

    async def has_read(self, prints: int) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while len(self.latencies_s) < prints:
            if time.monotonic() > deadline:
                raise RuntimeError(f"of {prints} prints {len(self.latencies_s)} are on the tape")
            await asyncio.sleep(0.05)


class Counters:
    """What became of the prints, as the engine counts it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def outcomes(self) -> dict[str, int]:
        lines = (await self._http.get("/metrics")).text.splitlines()
        name = "market_data_feed_events_total"
        told = [line.partition("outcome=")[2] for line in lines if line.startswith(f"{name}{{")]
        return {line.split('"')[1]: int(float(line.split()[-1])) for line in told}

    async def all_known(self, prints: int) -> dict[str, int]:
        deadline = time.monotonic() + _PATIENCE_S
        while sum((found := await self.outcomes()).values()) < prints:
            if time.monotonic() > deadline:
                raise RuntimeError(f"of {prints} prints only {found} are known")
            await asyncio.sleep(0.1)
        return found


async def _run(
    redis: Redis, vendor_port: int, start: Start, said: Sequence[bytes], prints: int
) -> Result:
    vendor = Vendor()
    async with serve(vendor.serve, "127.0.0.1", vendor_port, compression=None):
        with start() as (pid, port):
            reader = Reader(redis)
            reading = asyncio.create_task(reader.read())
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                    await vendor.minute_is_halfway()
                    before_s, began = processor_s(pid), time.perf_counter()
                    await vendor.tell(said)
                    found = await Counters(http).all_known(prints)
                    wall_s = time.perf_counter() - began
                    cpu_s = processor_s(pid) - before_s
                    await reader.has_read(found["taken"])
            finally:
                await end_tasks([reading])
            return Result(wall_s, cpu_s, found, reader.latencies_s, memory_mb(pid))


def main(prints: int, count: int) -> None:
    symbols = [f"S{number:04}" for number in range(count)]
    said = frames(symbols, prints)
    port = free_port()
    os.environ |= {
        "MARKET_DATA_MODE": "live",
        "LIVE_FEEDS": f"alpaca:{','.join(symbols)}",
        "ALPACA_STREAM_URL": f"ws://127.0.0.1:{port}",
        "ALPACA_DATA_KEY_ID": "bench",
        "ALPACA_DATA_SECRET_KEY": "bench",
    }
    with servers() as running:
        os.environ["MARKET_DATA_FOLDER"] = str(running.folder / "market")
        upgrade(running.settings())
        engine = make_engine(running.settings())
        with engine.begin() as connection:  # a market that is open when this runs
            add_symbols(connection, symbols, "24/7")

        def start() -> contextlib.AbstractContextManager[tuple[int, int]]:
            return running.service("market_data_engine", "MARKET_DATA_PORT")

        async def run() -> Result:
            redis = make_redis(running.settings())
            try:
                return await _run(redis, port, start, said, prints)
            finally:
                await redis.aclose()

        result = uvloop.run(run())
        with engine.connect() as connection:
            stored = connection.execute(
                text("SELECT count(*) FROM candles WHERE timeframe = '1m'")
            ).scalar_one()
        engine.dispose()
    figures = {
        "p50_ms": percentile_ms(result.latencies_s, 0.5),
        "p99_ms": percentile_ms(result.latencies_s, 0.99),
        "late": prints - result.outcomes["taken"],
        "engine_mb": result.memory_mb,
    }
    report(prints, result.wall_s, result.cpu_s, {"stored": stored > 0}, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
