"""The HTTP interface: candles, indicators, instruments, files, and what is refused."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from market_data_engine.settings import MarketDataSettings
from shared.redis.topics import frames_after
from tests.market_data_engine.conftest import (
    Engine,
    Participant,
    csv,
    gzipped,
    running_engine,
    until,
)

RUN: dict[str, Any] = {
    "symbols": ["SIM-TREND"],
    "start": "2026-01-05T14:30:00Z",
    "minutes": 40,
    "trades_per_minute": 12,
}


async def get(engine: Engine, path: str, **query: Any) -> Any:
    answer = await engine.http.get(f"/internal{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ran(engine: Engine, **changes: Any) -> None:
    replay = await engine.ended(await engine.start(synthetic={**RUN, **changes}))
    assert replay["status"] == "finished", replay


def starts(items: list[dict[str, Any]]) -> list[str]:
    return [item["start"][11:16] for item in items]


# --- candles -------------------------------------------------------------------------------------


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


# --- indicators ----------------------------------------------------------------------------------


async def test_indicators_are_calculated_over_the_candles_asked_for(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    closes = [item["close"] for item in (await get(running, "/candles/SIM-TREND"))["items"]]
    page = await get(running, "/indicators/sma/SIM-TREND", period=5)
    assert (page["name"], page["symbol"], page["timeframe"]) == ("SMA", "SIM-TREND", "1m")
    values = [item["value"] for item in page["items"]]
    assert values[:4] == [None] * 4
    assert values[4:] == pytest.approx([sum(closes[i - 4 : i + 1]) / 5 for i in range(4, 40)])
    assert page["items"][0]["at"] == "2026-01-05T14:30:00Z"
    # The candles before the first one asked for warm it up.
    later = await get(
        running, "/indicators/SMA/SIM-TREND", period=5, start="2026-01-05T14:40:00Z", limit=3
    )
    assert [item["value"] for item in later["items"]] == pytest.approx(values[10:13])
    assert later["next_cursor"] is not None


async def test_the_forming_candle_has_an_indicator_value_of_its_own(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    closes = [
        item["close"]
        for item in (await get(running, "/candles/SIM-TREND", timeframe="3m"))["items"]
    ]
    page = await get(running, "/indicators/SMA/SIM-TREND", timeframe="3m", period=2)
    assert page["items"][-1]["complete"] is False
    assert page["items"][-1]["value"] == pytest.approx((closes[-1] + closes[-2]) / 2)


async def test_an_indicator_of_several_lines_gives_each_by_its_name(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    candles = (await get(running, "/candles/SIM-TREND"))["items"]
    page = await get(running, "/indicators/donchian/SIM-TREND", period=3)
    assert page["items"][1]["values"] == {"upper": None, "middle": None, "lower": None}
    high = max(one["high"] for one in candles[:3])
    low = min(one["low"] for one in candles[:3])
    assert page["items"][2]["values"] == {"upper": high, "middle": (high + low) / 2, "lower": low}
    assert page["items"][2]["value"] == high
    # A parameter that isn't whole.
    page = await get(running, "/indicators/BBANDS/SIM-TREND", period=3, deviations="0.5")
    bands = page["items"][-1]["values"]
    assert bands["upper"] > bands["middle"] > bands["lower"]


async def test_the_volume_weighted_price_follows_the_exchanges_sessions(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    candles = (await get(running, "/candles/SIM-TREND"))["items"]
    page = await get(running, "/indicators/VWAP/SIM-TREND")
    money = volume = 0.0
    for candle, point in zip(candles, page["items"], strict=True):
        money += candle["vwap"] * candle["volume"]
        volume += candle["volume"]
        assert point["value"] == pytest.approx(money / volume)


async def test_any_function_of_talib_is_calculated_by_its_name(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    candles = (await get(running, "/candles/SIM-TREND"))["items"]
    page = await get(running, "/indicators/aroon/SIM-TREND", timeperiod=4)
    assert page["name"] == "AROON"
    assert [point["value"] for point in page["items"][:4]] == [None] * 4
    highs = [candle["high"] for candle in candles[:5]]
    latest = max(range(5), key=lambda index: (highs[index], index))
    assert page["items"][4]["values"]["aroonup"] == pytest.approx(100 * latest / 4)
    later = await get(
        running, "/indicators/AROON/SIM-TREND", timeperiod=4, start="2026-01-05T14:40:00Z", limit=3
    )
    assert [point["values"] for point in later["items"]] == [
        point["values"] for point in page["items"][10:13]
    ]


async def test_the_catalogue_of_indicators_tells_their_parameters(running: Engine) -> None:
    catalogue = {item["name"]: item for item in (await get(running, "/indicators"))["items"]}
    assert {"SMA", "EMA", "RSI", "ICHIMOKU", "AROON", "CDLDOJI"} <= set(catalogue)
    for item in catalogue.values():
        assert item["parameters"]["type"] == "object"
        assert item["outputs"]
        assert item["warm_up"] >= 1
    assert catalogue["BBANDS"]["outputs"] == ["upper", "middle", "lower"]
    assert catalogue["MFI"]["inputs"] == ["high", "low", "close", "volume"]
    assert (catalogue["ADX"]["warm_up"], catalogue["ADX"]["incremental"]) == (28, True)
    assert not catalogue["AROON"]["incremental"]


# --- instruments ---------------------------------------------------------------------------------


async def test_instruments_are_found_by_symbol_and_name(running: Engine) -> None:
    everything = await get(running, "/instruments")
    symbols = [item["symbol"] for item in everything["items"]]
    assert symbols == sorted(symbols)
    assert {"SPY", "IBM", "BAC", "AAPL", "QQQ", "SIM-TREND", "SIM-RANGE"} <= set(symbols)
    assert [
        item["symbol"] for item in (await get(running, "/instruments", query="sp"))["items"]
    ] == ["SPY"]
    found = await get(running, "/instruments", query="machines")
    assert [item["symbol"] for item in found["items"]] == ["IBM"]
    assert (await get(running, "/instruments", query="%"))["items"] == []
    assert await get(running, "/instruments/SPY") == {
        "symbol": "SPY",
        "name": "SPDR S&P 500 ETF Trust",
        "exchange": "XNYS",
        "currency": "USD",
        "tick_size": "0.01",
        "lot_size": "1",
        "tradable": True,
        "shortable": True,
        "borrow_fee_bps": "0",
    }


async def test_pages_of_instruments_meet(running: Engine) -> None:
    first = await get(running, "/instruments", limit=4)
    second = await get(running, "/instruments", limit=4, cursor=first["next_cursor"])
    symbols = [item["symbol"] for item in first["items"] + second["items"]]
    assert symbols == sorted(set(symbols))
    assert len(symbols) == 7
    assert second["next_cursor"] is None


# --- files ---------------------------------------------------------------------------------------

GOOD = csv("2024-01-08T15:00:05Z,BRK.B,10.5,1", "2024-01-08T15:00:55Z,BTC/USDT,20,2")


async def test_an_uploaded_file_is_described_and_its_symbols_become_known(running: Engine) -> None:
    answer = await running.http.put("/internal/market-files/new.csv.gz", content=gzipped(GOOD))
    assert answer.status_code == 201
    file = answer.json()
    assert (file["name"], file["kind"]) == ("new.csv.gz", "trades")
    assert file["sha256"] == hashlib.sha256(gzipped(GOOD)).hexdigest()
    assert (file["rows"], file["symbols"]) == (2, ["BRK.B", "BTC/USDT"])
    assert file["first_at"] == "2024-01-08T15:00:05Z"
    assert file["last_at"] == "2024-01-08T15:00:55Z"
    assert (await get(running, "/market-files"))["items"] == [file]
    assert (await get(running, "/instruments/BTC%2FUSDT"))["exchange"] == "XNYS"
    assert (await get(running, "/candles/BTC%2FUSDT"))["items"] == []


QUOTES = b"timestamp,symbol,bid,bid_size,ask,ask_size\n2024-01-08T15:00:05Z,Q,10,1,11,2\n"


async def test_a_file_of_quotes_is_taken_and_not_replayed_without_trades(running: Engine) -> None:
    answer = await running.http.put("/internal/market-files/q.csv", content=QUOTES)
    assert answer.status_code == 201
    file = answer.json()
    assert (file["kind"], file["rows"], file["symbols"]) == ("quotes", 1, ["Q"])
    assert (await get(running, "/market-files"))["items"] == [file]
    refused = await running.http.post("/internal/replays", json={"files": [file["id"]]})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_trades")


async def test_the_same_content_again_is_the_same_file(running: Engine) -> None:
    first = await running.http.put("/internal/market-files/a.csv", content=GOOD)
    again = await running.http.put("/internal/market-files/b.csv", content=GOOD)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len((await get(running, "/market-files"))["items"]) == 1


async def test_the_same_file_uploaded_at_once_is_taken_once(running: Engine) -> None:
    answers = await asyncio.gather(
        *(running.http.put(f"/internal/market-files/{n}.csv", content=GOOD) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1


BAD_FILES: list[tuple[str, bytes, int, str]] = [
    ("a.csv", b"", 422, "a.csv: the file is empty."),
    ("a.csv", csv("x"), 422, "a.csv, line 2: it has 1 fields, the header has 4."),
    ("a.csv.gz", GOOD, 422, "a.csv.gz: it is not gzip data, as its name says."),
    ("a.csv", csv("1985-01-08T15:00:05Z,A,1,1"), 422, "outside the known calendar of XNYS"),
    ("a.csv", csv("2150-01-08T15:00:05Z,A,1,1"), 422, "outside the known calendar of XNYS"),
    (".hidden", GOOD, 422, "A file's name is 1 to 128 letters"),
    ("a" * 129, GOOD, 422, "A file's name is 1 to 128 letters"),
    ("a%0Ab", GOOD, 422, "A file's name is 1 to 128 letters"),
]


async def test_a_bad_file_is_refused_with_a_sentence_and_leaves_nothing(
    running: Engine, engine_settings: MarketDataSettings
) -> None:
    for name, content, status, sentence in BAD_FILES:
        answer = await running.http.put(f"/internal/market-files/{name}", content=content)
        assert answer.status_code == status
        assert sentence in answer.json()["detail"]
        assert_nothing_kept(engine_settings)
    assert (await get(running, "/market-files"))["items"] == []
    assert (await running.http.get("/internal/instruments/A")).status_code == 404


def assert_nothing_kept(settings: MarketDataSettings) -> None:
    for folder in ("incoming", "files"):
        assert list((settings.market_data_folder / folder).iterdir()) == []


async def test_a_file_that_is_too_long_is_refused_while_it_comes_in(
    engine_settings: MarketDataSettings, redis: Redis
) -> None:
    settings = engine_settings.model_copy(update={"market_file_max_bytes": 4096})
    async with running_engine(settings, redis) as running:
        for content in (b"x" * 5000, slow_body([b"x" * 1000] * 10)):
            answer = await running.http.put("/internal/market-files/a.csv", content=content)
            assert answer.status_code == 413
            assert answer.json()["code"] == "body_too_large"
        assert_nothing_kept(settings)


async def slow_body(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_body_longer_than_a_mebibyte_is_taken(running: Engine) -> None:
    line = "2024-01-08T15:00:05Z,LONG,10.5,1"
    answer = await running.http.put("/internal/market-files/a.csv", content=csv(*[line] * 50_000))
    assert answer.status_code == 201
    assert answer.json()["rows"] == 50_000


async def test_an_upload_that_breaks_off_leaves_nothing(
    running: Engine, engine_settings: MarketDataSettings
) -> None:
    port = engine_settings.market_data_port
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    token = engine_settings.internal_token.get_secret_value()
    head = (
        f"PUT /internal/market-files/a.csv HTTP/1.1\r\nHost: x\r\nX-Internal-Token: {token}\r\n"
        f"Content-Length: {len(GOOD)}\r\n\r\n"
    )
    writer.write(head.encode() + GOOD[:50])
    await writer.drain()
    incoming = engine_settings.market_data_folder / "incoming"

    async def coming_in() -> bool:
        return bool(list(incoming.iterdir()))

    async def gone() -> bool:
        return not list(incoming.iterdir())

    await until(coming_in)
    writer.close()
    await writer.wait_closed()
    await until(gone)
    assert_nothing_kept(engine_settings)


# --- runs ----------------------------------------------------------------------------------------


BAD_RUNS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 422, "invalid_request"),
    ({"files": []}, 422, "invalid_request"),
    ({"files": ["00000000-0000-4000-8000-000000000000"]}, 422, "unknown_file"),
    ({"files": ["x"]}, 422, "invalid_request"),
    (
        {"files": ["00000000-0000-4000-8000-000000000000"], "synthetic": {}},
        422,
        "invalid_request",
    ),
    ({"synthetic": {}, "speed": 0.4}, 422, "invalid_request"),
    ({"synthetic": {}, "speed": 101}, 422, "invalid_request"),
    ({"synthetic": {}, "speed": "fast"}, 422, "invalid_request"),
    ({"synthetic": {}, "speed": True}, 422, "invalid_request"),
    ({"synthetic": {}, "sped": 1}, 422, "invalid_request"),
    ({"synthetic": {"symbols": []}}, 422, "invalid_request"),
    ({"synthetic": {"symbols": ["A", "A"]}}, 422, "invalid_request"),
    ({"synthetic": {"symbols": ["a b"]}}, 422, "invalid_request"),
    ({"synthetic": {"minutes": 0}}, 422, "invalid_request"),
    ({"synthetic": {"minutes": 100_000, "trades_per_minute": 10_000}}, 422, "invalid_request"),
    ({"synthetic": {"start": "2026-01-05T14:30:00"}}, 422, "invalid_request"),
    ({"synthetic": {"start": "1996-01-05T14:30:00Z"}}, 422, "invalid_request"),
    ({"synthetic": {"start": "2999-01-05T14:30:00Z"}}, 422, "invalid_request"),
    ({"synthetic": {"regime": "moon"}}, 422, "invalid_request"),
    ({"synthetic": {"seed": 1.5}}, 422, "invalid_request"),
]


async def test_bad_runs_are_refused_and_none_begins(running: Engine) -> None:
    for body, status, code in BAD_RUNS:
        answer = await running.http.post("/internal/replays", json=body)
        assert answer.status_code == status, (body, answer.text)
        assert answer.json()["code"] == code, body
    assert (await get(running, "/replays"))["items"] == []


async def test_one_run_at_a_time(running: Engine) -> None:
    first = await running.start(synthetic=RUN)  # nobody takes part: it waits
    answer = await running.http.post("/internal/replays", json={"synthetic": RUN})
    assert answer.status_code == 409
    assert answer.json()["code"] == "run_in_progress"
    await running.http.post(f"/internal/replays/{first}/stop")
    second = await running.start(synthetic=RUN)
    found = await get(running, "/replays")
    assert [item["id"] for item in found["items"]] == [second, first]
    page = await get(running, "/replays", limit=1)
    assert page["next_cursor"] == second
    page = await get(running, "/replays", limit=1, cursor=page["next_cursor"])
    assert [item["id"] for item in page["items"]] == [first]
    assert page["next_cursor"] is None


async def test_many_who_start_at_once_start_one(running: Engine) -> None:
    answers = await asyncio.gather(
        *(running.http.post("/internal/replays", json={"synthetic": RUN}) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_a_file_whose_content_is_gone_can_be_uploaded_again(
    running: Engine, engine_settings: MarketDataSettings, orders: Participant
) -> None:
    file_id = await running.upload("a.csv", GOOD)
    for path in (engine_settings.market_data_folder / "files").iterdir():
        path.unlink()
    answer = await running.http.post("/internal/replays", json={"files": [file_id]})
    assert (answer.status_code, answer.json()["code"]) == (409, "file_missing")
    assert await running.upload("a.csv", GOOD) == file_id
    assert (await running.ended(await running.start(files=[file_id])))["status"] == "finished"


async def test_a_run_whose_file_turns_out_damaged_fails_and_says_why(
    running: Engine, engine_settings: MarketDataSettings, orders: Participant
) -> None:
    file_id = await running.upload("a.csv", GOOD)
    (kept,) = (engine_settings.market_data_folder / "files").iterdir()
    kept.write_bytes(csv("2024-01-08T15:00:05Z,BRK.B,10.5,1", "2024-01-08T15:00:05Z,BRK.B,zero,1"))
    replay = await running.ended(await running.start(files=[file_id]))
    assert replay["status"] == "failed"
    assert replay["error"] == "a.csv, line 3: the price 'zero' is not a finite number."
    assert (await running.ended(await running.start(synthetic=RUN)))["status"] == "finished"


async def test_metrics_count_the_work(running: Engine, orders: Participant) -> None:
    async def counted(name: str) -> float:
        lines = (await running.http.get("/metrics")).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    ticks, marks = (
        await counted("market_data_ticks_total"),
        await counted("market_data_marks_total"),
    )
    candles = await counted('market_data_candles_completed_total{timeframe="1m"}')
    waits = await counted('market_data_wait_seconds_count{phase="market"}')
    await ran(running)
    assert await counted("market_data_ticks_total") - ticks == 480
    assert await counted("market_data_marks_total") - marks == 40
    assert await counted('market_data_candles_completed_total{timeframe="1m"}') - candles == 40
    assert await counted('market_data_wait_seconds_count{phase="market"}') - waits == 40
    assert await counted("market_data_store_queue_candles") == 0
