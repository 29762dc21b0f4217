"""A provider is away while an hour of market time passes, and comes back: the engine as operators
start it, a vendor's server behind it."""

from typing import Any

import httpx

from market_data_engine.settings import MarketDataSettings
from shared.candles.timeframes import HOUR_NS, MINUTE_NS
from shared.database.tables import utc_now
from tests.market_data_engine.conftest import until
from tests.market_data_engine.test_leadership import client, process
from tests.market_data_engine.vendors.history import KEY, SECRET, history_server

#: Trades around the clock, so the hour before now is one of market time.
SYMBOL = "SIM-TREND"


async def test_every_candle_of_the_hour_is_healed_with_its_true_source(
    engine_settings: MarketDataSettings,
) -> None:
    with history_server() as alpaca:
        more = {
            "HISTORY_PROVIDERS": "alpaca",
            "ALPACA_HISTORY_URL": alpaca.url,
            "ALPACA_DATA_KEY_ID": KEY,
            "ALPACA_DATA_SECRET_KEY": SECRET,
            "GAP_LOOKBACK_H": "1",
        }
        now_ns = int(utc_now().timestamp()) * 1_000_000_000
        first_ns = (now_ns - HOUR_NS) // MINUTE_NS * MINUTE_NS
        alpaca.bars[SYMBOL] = [
            (first_ns + number * MINUTE_NS, 50.0, 51.0, 49.0, 50.5, 7.0) for number in range(90)
        ]
        alpaca.status = 500
        async with process(engine_settings, **more) as engine, client(engine_settings) as http:
            await http.put(
                "/internal/market-data/configuration",
                json={
                    "configuration": {"tiers": {"T0": [SYMBOL]}, "cadences_s": {"T0": 1}},
                    "requested_by": "user:1",
                },
            )

            async def tried() -> bool:
                jobs = (await http.get("/internal/market-data/jobs")).json()["items"]
                return any(job["attempts"] and job["status"] == "queued" for job in jobs)

            await until(tried, 60)
            assert await candles(http, "1m") == []
            engine.kill()
        alpaca.status = None
        async with process(engine_settings, **more), client(engine_settings) as http:

            async def healed() -> list[dict[str, Any]]:
                found = await candles(http, "1m")
                return found if len(found) >= 58 else []

            minutes = await until(healed, 60)
            starts = [one["start"] for one in minutes]
            assert starts == sorted(set(starts))

            async def folded() -> list[dict[str, Any]]:
                found = await candles(http, "5m")
                return found if len(found) >= 10 else []

            for one in [*minutes, *await until(folded, 60)]:
                assert (one["source"], one["quality"], one["close"]) == ("alpaca", "healed", 50.5)


async def candles(http: httpx.AsyncClient, timeframe: str) -> list[dict[str, Any]]:
    answer = await http.get(f"/internal/candles/{SYMBOL}", params={"timeframe": timeframe})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
