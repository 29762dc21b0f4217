"""The HTTP interface: candles and snapshots, and who is answered."""

from typing import Any

import httpx
import msgspec
from redis.asyncio import Redis

from market_data_engine.settings import MarketDataSettings
from shared.redis.topics import frames_after
from tests.market_data_engine.asking import RUN, get, ran, starts
from tests.market_data_engine.conftest import Engine, Participant, running_engine


async def test_without_a_start_the_last_candles_come_the_forming_one_last(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    page = await get(running, "/candles/SIM-TREND", timeframe="15m", limit=2)
    assert starts(page["items"]) == ["14:45", "15:00"]
    assert [item["complete"] for item in page["items"]] == [True, False]
    assert page["next_cursor"] is None
    assert page["symbol"] == "SIM-TREND"
    assert page["timeframe"] == "15m"
    assert set(page["items"][0]) == {
        *("start", "end", "open", "high", "low", "close", "volume", "vwap", "trades", "complete"),
        *("source", "quality", "as_of"),
    }
    told = [(item["source"], item["quality"]) for item in page["items"]]
    assert told == [("synthetic", "complete"), (None, None)]
    assert page["items"][0]["start"] == "2026-01-05T14:45:00Z"


async def test_pages_meet_without_gap_or_overlap_and_end_with_the_forming_candle(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"timeframe": "3m", "start": "2026-01-05T14:30:00Z", "limit": 5}
    pages = 0
    while True:
        page = await get(running, "/candles/SIM-TREND", **query)
        assert len(page["items"]) <= 5
        items += page["items"]
        pages += 1
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    # 13 candles are complete by 15:10, and one is under way.
    assert starts(items) == [f"{14 + (30 + m) // 60}:{(30 + m) % 60:02}" for m in range(0, 42, 3)]
    assert [item["complete"] for item in items] == [True] * 13 + [False]
    assert pages == 3
    del query["cursor"]
    page = await get(running, "/candles/SIM-TREND", **{**query, "limit": 13})
    assert page["next_cursor"] is not None
    page = await get(running, "/candles/SIM-TREND", timeframe="3m", cursor=page["next_cursor"])
    assert [item["complete"] for item in page["items"]] == [False]


async def test_a_range_excludes_its_end(running: Engine, orders: Participant) -> None:
    await ran(running)
    page = await get(
        running,
        "/candles/SIM-TREND",
        start="2026-01-05T14:31:00Z",
        end="2026-01-05T15:34:00+01:00",
    )
    assert starts(page["items"]) == ["14:31", "14:32", "14:33"]
    assert all(item["complete"] for item in page["items"])
    page = await get(running, "/candles/SIM-TREND", end="2026-01-05T14:34:00Z", limit=2)
    assert starts(page["items"]) == ["14:32", "14:33"]
    page = await get(running, "/candles/SIM-TREND", start="2027-01-05T14:31:00Z")
    assert page["items"] == []


async def test_tradingviews_names_of_timeframes_are_understood(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    assert (await get(running, "/candles/SIM-TREND", timeframe="60"))["timeframe"] == "1h"


async def test_a_replay_that_went_back_in_time_shows_the_market_as_it_then_was(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    await ran(running, start="2026-01-05T10:00:00Z", minutes=3)
    page = await get(running, "/candles/SIM-TREND")
    assert starts(page["items"]) == ["10:00", "10:01", "10:02"]
    # The later day is still there for those who ask for it.
    page = await get(running, "/candles/SIM-TREND", start="2026-01-05T09:00:00Z")
    assert len(page["items"]) == 43
    # And what a run follows on from is seen before it.
    await ran(running, start="2026-01-05T16:00:00Z", minutes=2)
    page = await get(running, "/candles/SIM-TREND", limit=4)
    assert starts(page["items"]) == ["15:08", "15:09", "16:00", "16:01"]


async def test_at_most_500_candles_come_from_memory_and_any_number_from_the_store(
    running: Engine, orders: Participant
) -> None:
    await ran(running, minutes=620, trades_per_minute=1)
    assert len((await get(running, "/candles/SIM-TREND"))["items"]) == 500
    page = await get(running, "/candles/SIM-TREND", limit=10_000)
    assert len(page["items"]) == 620
    tail = (await get(running, "/candles/SIM-TREND", limit=500))["items"]
    assert tail == page["items"][-500:]


async def test_the_snapshot_and_the_frames_after_it_miss_nothing(
    running: Engine, orders: Participant, redis: Redis
) -> None:
    """What a client that applies frames above the snapshot's number has in the end."""
    run_id = await running.start(synthetic={**RUN, "minutes": 300}, speed="max")
    topic = "candles.SIM-TREND.3m"
    taken: list[dict[str, Any]] = []
    while (await running.replay(run_id))["status"] == "running":
        taken.append(await get(running, "/candles/SIM-TREND/snapshot", timeframe="3m"))
    final = await get(running, "/candles/SIM-TREND/snapshot", timeframe="3m")
    assert len(final["candles"]) == 100
    frames = [msgspec.json.decode(raw) for _, raw in (await frames_after(redis, topic, 0)) or []]
    assert final["seq"] == frames[-1]["seq"]
    assert len(taken) > 3
    for snapshot in taken:
        candles = {candle["start_ns"]: candle for candle in snapshot["candles"]}
        for frame in frames:
            if frame["seq"] > snapshot["seq"] and frame["data"]["complete"]:
                candles[frame["data"]["candle"]["start_ns"]] = frame["data"]["candle"]
        assert list(candles.values()) == final["candles"]


async def test_an_engine_that_did_not_carry_the_run_gives_the_same_snapshot(
    running: Engine,
    orders: Participant,
    engine_settings: MarketDataSettings,
    redis: Redis,
    free_market_port: int,
) -> None:
    await ran(running)
    settings = engine_settings.model_copy(update={"market_data_port": free_market_port})
    async with running_engine(settings, redis) as standby:
        for timeframe in ("1m", "15m", "1d"):
            path = "/candles/SIM-TREND/snapshot"
            assert await get(standby, path, timeframe=timeframe) == await get(
                running, path, timeframe=timeframe
            )


async def test_a_symbol_without_candles_has_an_empty_page_and_snapshot(running: Engine) -> None:
    assert (await get(running, "/candles/QQQ"))["items"] == []
    assert await get(running, "/candles/QQQ/snapshot") == {
        "seq": 0,
        "candles": [],
        "forming": None,
    }


BAD_QUESTIONS: list[tuple[str, int, str | None]] = [
    ("/candles/NOPE", 404, "not_found"),
    ("/candles/NOPE/snapshot", 404, "not_found"),
    ("/candles/%00", 404, "not_found"),
    ("/candles/SPY?timeframe=2m", 422, "invalid_timeframe"),
    ("/candles/SPY?timeframe=1M", 422, "invalid_timeframe"),
    ("/candles/SPY/snapshot?timeframe=x", 422, "invalid_timeframe"),
    ("/candles/SPY?limit=0", 422, "invalid_request"),
    ("/candles/SPY?limit=10001", 422, "invalid_request"),
    ("/candles/SPY?start=yesterday", 422, "invalid_request"),
    ("/candles/SPY?start=2026-01-05T14:30:00", 422, "invalid_request"),
    (
        "/candles/SPY?start=2026-01-05T14:30:00Z&end=2026-01-05T14:30:00Z",
        422,
        "invalid_range",
    ),
    ("/candles/SPY?cursor=x", 422, "invalid_request"),
    ("/candles/SPY?cursor=9999999999999999999", 200, None),
    ("/candles/SPY?start=0001-01-01T00:00:00Z&end=9999-12-31T00:00:00Z", 200, None),
    ("/indicators/NOPE/SPY", 404, "unknown_indicator"),
    ("/indicators/MACD/SPY?fast=26", 422, "invalid_parameters"),
    ("/indicators/BBANDS/SPY?deviations=1e9", 422, "invalid_parameters"),
    ("/indicators/TEMA/SPY?timeperiod=0", 422, "invalid_parameters"),
    ("/indicators/TEMA/SPY?period=5", 422, "invalid_parameters"),
    ("/indicators/SMA/NOPE", 404, "not_found"),
    ("/indicators/SMA/SPY?period=0", 422, "invalid_parameters"),
    ("/indicators/SMA/SPY?period=ten", 422, "invalid_parameters"),
    ("/indicators/SMA/SPY?period=99999999999999999999", 422, "invalid_parameters"),
    ("/indicators/SMA/SPY?perod=5", 422, "invalid_parameters"),
    ("/instruments/NOPE", 404, "not_found"),
    ("/instruments?limit=0", 422, "invalid_request"),
    ("/instruments?query=%00", 200, None),
    ("/replays/5", 422, "invalid_request"),
    ("/replays/00000000-0000-4000-8000-000000000000", 404, "not_found"),
    ("/market-files?cursor=5", 422, "invalid_request"),
]


async def test_bad_questions_get_clear_answers(running: Engine) -> None:
    for path, status, code in BAD_QUESTIONS:
        answer = await running.http.get(f"/internal{path}")
        assert answer.status_code == status, (path, answer.text)
        if code is not None:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == code, path


async def test_nobody_without_the_platforms_token_is_answered(running: Engine) -> None:
    for path in ("/candles/SPY", "/replays", "/market-files", "/instruments", "/indicators"):
        async with httpx.AsyncClient(base_url=running.http.base_url, trust_env=False) as stranger:
            answer = await stranger.get(f"/internal{path}")
            assert answer.status_code == 401
