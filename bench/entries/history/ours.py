import asyncio
import os
import sys
import time
from datetime import UTC, datetime

import httpx
import msgspec
import uvloop

from bench.machine import processor_s
from bench.measuring import report
from bench.servers import percentile_ms, servers
from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.stored import StoredCandle
from shared.candles.timeframes import MINUTE_NS
from shared.database import make_engine
from shared.database.migrate import upgrade
from shared.models.identifiers import Symbol
from shared.models.market import Candle
from shared.service.internal import INTERNAL_TOKEN_HEADER

#: Of the simulated market, so that it has prints and a forming candle, too.
_SYMBOL = Symbol("SIM-TREND")
_PATH = f"/internal/candles/{_SYMBOL}"
_PAGE = 10_000
_REQUESTS, _PACE_S = 2_500, 1 / 500
_PATIENCE_S = 60.0


def candles(count: int, end_ns: int) -> list[StoredCandle]:
    made = []
    for number in range(count):
        start_ns = end_ns - (count - number) * MINUTE_NS
        low = 100 + number % 50 / 10
        candle = Candle(
            _SYMBOL, "1m", start_ns, start_ns + MINUTE_NS, low, low + 0.5, low, low + 0.25,
            1000.0 + number, low + 0.2, 120,
        )  # fmt: skip
        made.append(StoredCandle(candle, "import", "complete", end_ns))
    return made


async def pages(http: httpx.AsyncClient, start_ns: int, end_ns: int) -> int:
    """How many candles there are, read to the end."""
    first, last = (
        datetime.fromtimestamp(ns // 10**9, UTC).isoformat() for ns in (start_ns, end_ns)
    )
    query = {"start": first, "end": last, "limit": str(_PAGE)}
    count = 0
    while True:
        page = msgspec.json.decode((await http.get(_PATH, params=query)).content)
        count += len(page["items"])
        if page["next_cursor"] is None:
            return count
        query["cursor"] = page["next_cursor"]


def _text(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).isoformat()


async def running(http: httpx.AsyncClient) -> None:
    """Returns when the market has begun."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        items = (await http.get(_PATH, params={"limit": "500"})).json()["items"]
        if len(items) == 500 and not items[-1]["complete"]:
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the market did not begin")
        await asyncio.sleep(0.1)


async def paced(http: httpx.AsyncClient) -> list[float]:
    async def timed(due: float) -> float:
        answer = await http.get(_PATH, params={"limit": "500"})
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(answer.text)
        return time.perf_counter() - due

    begin = time.perf_counter()
    tasks = []
    for number in range(_REQUESTS):
        due = begin + number * _PACE_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(timed(due)))
    return await asyncio.gather(*tasks)


def main(count: int) -> None:
    end_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    os.environ |= {"MARKET_DATA_MODE": "simulated", "SIMULATED_SYMBOLS": _SYMBOL}
    with servers() as there:
        os.environ["MARKET_DATA_FOLDER"] = str(there.folder / "market")
        settings = there.settings()
        upgrade(settings)
        engine = make_engine(settings)
        PostgresCandleStore(engine).write(candles(count, end_ns))
        engine.dispose()

        async def run(pid: int, port: int) -> tuple[int, float, float, list[float]]:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={INTERNAL_TOKEN_HEADER: settings.internal_token.get_secret_value()},
                timeout=_PATIENCE_S,
            ) as http:
                await running(http)
                before_s, began = processor_s(pid), time.perf_counter()
                found = await pages(http, end_ns - count * MINUTE_NS, end_ns)
                wall_s = time.perf_counter() - began
                return found, wall_s, processor_s(pid) - before_s, await paced(http)

        with there.service("market_data_engine", "MARKET_DATA_PORT") as (pid, port):
            found, wall_s, cpu_s, latencies_s = uvloop.run(run(pid, port))
    figures = {
        "p50_ms": percentile_ms(latencies_s, 0.5),
        "p99_ms": percentile_ms(latencies_s, 0.99),
    }
    report(count, wall_s, cpu_s, {"candles": found}, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]))
