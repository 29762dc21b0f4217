"""The engine in live mode, with a vendor's server behind it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import select

from market_data_engine.instruments.actions import add_symbols
from market_data_engine.settings import MarketDataSettings
from shared.config import InvalidSettingsError
from shared.database.tables import SilentSymbolRow
from shared.models.market import Quotes, RunStarted, TimeMark, Trades
from shared.redis import tape
from tests.market_data_engine.conftest import Engine, running_engine, until
from tests.market_data_engine.vendors.alpaca import (
    KEY,
    SECRET,
    AlpacaServer,
    alpaca_server,
    quote,
    trade,
)


def now_text(ahead_s: float = 0.0) -> str:
    return datetime.fromtimestamp(time.time() + ahead_s, UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
async def alpaca() -> AsyncIterator[AlpacaServer]:
    async with alpaca_server() as server:
        yield server


def live(settings: MarketDataSettings, alpaca: AlpacaServer, **more: Any) -> MarketDataSettings:
    return settings.model_copy(
        update={
            "market_data_mode": "live",
            "live_feeds": "alpaca:AAPL,MSFT",
            "live_grace_ms": 100,
            "alpaca_stream_url": alpaca.url,
            "alpaca_data_key_id": SecretStr(KEY),
            "alpaca_data_secret_key": SecretStr(SECRET),
            **more,
        }
    )


async def feeds(engine: Engine) -> list[dict[str, Any]]:
    answer = await engine.http.get("/internal/feeds")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def on_the_tape(redis: Redis, kind: type) -> list[Any]:
    entries = [raw.decode() for raw in await tape.read(redis, "0-0", count=5000, block_ms=1)]
    return [entry for entry in entries if isinstance(entry, kind)]


async def test_a_live_market_is_on_the_tape_at_once_and_marked_by_the_wall_clock(
    engine_settings: MarketDataSettings, alpaca: AlpacaServer, redis: Redis
) -> None:
    async with running_engine(live(engine_settings, alpaca), redis) as engine:
        await asyncio.wait_for(alpaca.subscribed.wait(), 10)
        at = now_text()
        await alpaca.tell(
            quote("AAPL", 187.2, 187.3, at),
            trade("AAPL", 187.25, at, 1),
            trade("AAPL", 187.25, at, 1),  # told twice
            trade("TSLA", 240.0, at, 1),  # nobody asked
        )

        async def prints() -> list[Trades]:
            return await on_the_tape(redis, Trades)

        (trades,) = await until(prints)
        assert (trades.symbols, trades.price) == (["AAPL"], [187.25])
        (quotes,) = await on_the_tape(redis, Quotes)
        assert (quotes.bid, quotes.ask) == ([187.2], [187.3])
        (started,) = await on_the_tape(redis, RunStarted)
        assert (started.source, started.paced) == ("live", False)

        async def marked() -> list[TimeMark]:
            marks = await on_the_tape(redis, TimeMark)
            return marks if len(marks) >= 4 else []

        marks = await until(marked)
        assert {mark.at_ns % 1_000_000_000 for mark in marks} == {0}
        assert marks[-1].at_ns <= time.time_ns() - 100_000_000
        (forming,) = (await engine.http.get("/internal/candles/AAPL?timeframe=1h")).json()["items"]
        assert (forming["close"], forming["volume"], forming["complete"]) == (187.25, 100, False)
        (feed,) = await feeds(engine)
        assert (feed["name"], feed["state"], feed["symbols"]) == (
            "alpaca",
            "live",
            ["AAPL", "MSFT"],
        )

        # Lost, it comes back by itself, and what it tells again is known.
        await alpaca.drop()
        await asyncio.wait_for(alpaca.subscribed.wait(), 10)
        await alpaca.tell(trade("AAPL", 187.25, at, 1), trade("AAPL", 188.0, now_text(), 2))

        async def more_prints() -> list[Trades]:
            found = await on_the_tape(redis, Trades)
            return found if len(found) > 1 else []

        assert (await until(more_prints))[-1].price == [188.0]
        (feed,) = await feeds(engine)
        assert (feed["state"], feed["losses"]) == ("live", 1)
        (run,) = (await engine.http.get("/internal/replays")).json()["items"]
        assert (run["status"], run["ticks"]) == ("running", 2)

        # A replay can only have the tape when the live run is stopped.
        refused = await engine.http.post(
            "/internal/replays", json={"synthetic": {"minutes": 1, "symbols": ["X"]}}
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "run_in_progress")
        stopped = await engine.http.post(f"/internal/replays/{run['id']}/stop")
        assert stopped.json()["status"] == "stopped"
        assert [feed["state"] for feed in await feeds(engine)] == ["idle"]


async def test_an_engine_that_is_started_again_goes_on_with_the_candles_of_the_one_before(
    engine_settings: MarketDataSettings, alpaca: AlpacaServer, redis: Redis, engine: Database
) -> None:
    with engine.begin() as connection:
        add_symbols(connection, ["AAPL", "MSFT"], "24/7")
    settings = live(engine_settings, alpaca)
    prices = (187.25, 190.5)
    for number, price in enumerate(prices, 1):
        async with running_engine(settings, redis) as running:
            await asyncio.wait_for(alpaca.subscribed.wait(), 30)
            await alpaca.tell(trade("AAPL", price, now_text(), number))

            async def decided(seen: int = number) -> bool:
                kinds = [type(entry) for entry in await on_the_tape(redis, object)]
                last = [place for place, kind in enumerate(kinds) if kind is Trades]
                return len(last) == seen and kinds[last[-1] :].count(TimeMark) >= 4

            await until(decided, 30)
            answer = await running.http.get("/internal/candles/AAPL?timeframe=1w")
            alpaca.subscribed.clear()
    (week,) = answer.json()["items"]
    assert (week["open"], week["close"], week["trades"]) == (*prices, 2)


async def test_without_credentials_a_feed_is_unavailable_and_says_what_is_missing(
    engine_settings: MarketDataSettings, alpaca: AlpacaServer, redis: Redis
) -> None:
    lacking = live(engine_settings, alpaca, alpaca_data_secret_key=None)
    async with running_engine(lacking, redis) as engine:
        await engine.leading()
        (feed,) = await feeds(engine)
        assert feed["state"] == "unavailable"
        assert feed["problem"] == "ALPACA_DATA_KEY_ID and ALPACA_DATA_SECRET_KEY must be set."
        assert (await engine.http.get("/internal/replays")).json()["items"] == []


@pytest.mark.parametrize(
    "text",
    ["nobody:AAPL", "alpaca:", "alpaca:aapl", "alpaca:AAPL,AAPL", "alpaca:AAPL;alpaca:MSFT", ""],
)
def test_live_feeds_that_make_no_sense_are_refused_at_start(text: str) -> None:
    with pytest.raises(InvalidSettingsError, match="LIVE_FEEDS"):
        MarketDataSettings(_env_file=None, market_data_mode="live", live_feeds=text)


async def test_a_silent_feed_is_noticed_and_told_until_it_is_heard_again(
    engine_settings: MarketDataSettings, alpaca: AlpacaServer, redis: Redis, engine: Database
) -> None:
    """Another kind of run makes nobody wait."""
    with engine.begin() as connection:  # markets that never close
        add_symbols(connection, ["AAPL", "MSFT"], "24/7")

    def silent() -> dict[str, str]:
        with engine.connect() as connection:
            rows = connection.execute(select(SilentSymbolRow.symbol, SilentSymbolRow.reason))
            return {row.symbol: row.reason for row in rows}

    async def is_silent() -> bool:
        return set(silent()) == {"AAPL", "MSFT"}

    async def is_heard() -> bool:
        if silent():
            await alpaca.tell(trade("AAPL", 187.25, now_text(), time.time_ns()))
        return not silent()

    settings = live(engine_settings, alpaca, feed_stale_s=1.0)
    async with running_engine(settings, redis) as running:
        await asyncio.wait_for(alpaca.subscribed.wait(), 30)
        await until(is_silent, 30)
        assert silent()["AAPL"].startswith("Nothing has come from alpaca since ")
        (feed,) = await feeds(running)
        assert (feed["state"], feed["stale"]) == ("live", True)
        await until(is_heard, 30)
        await until(is_silent, 30)
        (run,) = (await running.http.get("/internal/replays")).json()["items"]
        await running.http.post(f"/internal/replays/{run['id']}/stop")
        assert set(silent()) == {"AAPL", "MSFT"}
        await running.start(synthetic={"minutes": 1, "symbols": ["X"]})
        assert silent() == {}
