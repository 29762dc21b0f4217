"""Candles from files into the store, through the engine's interface."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import httpx
import polars as pl
import pytest

from market_data_engine.candle_files.intervals import candles_of
from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import Symbol
from tests.market_data_engine.conftest import Engine, Participant, gzipped
from tests.shared.candles.sessions import mumbai, new_york, ns, utc

HEADER = "timestamp,symbol,open,high,low,close,volume\n"
ROWS = (
    "2026-01-05T14:30:00Z,SPY,10,11,9,10.5,100\n"
    "2026-01-05T14:31:00Z,SPY,10.5,12,10,11,50\n"
    "2026-01-05T14:30:00Z,NEW,1,1,1,1,0\n"
)


async def put(engine: Engine, content: bytes, name: str = "c.csv", **query: str) -> httpx.Response:
    query.setdefault("timeframe", "1m")
    return await engine.http.put(f"/internal/candle-files/{name}", content=content, params=query)


async def series(engine: Engine, **query: str) -> list[dict[str, Any]]:
    answer = await engine.http.get("/internal/candle-series", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_file_of_candles_is_stored_whole_and_again_it_changes_nothing(
    running: Engine, orders: Participant
) -> None:
    for content in ((HEADER + ROWS).encode(), gzipped((HEADER + ROWS).encode())):
        answer = await put(running, content)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["candles"], len(answer.json()["items"])) == (3, 2)
    page = (await running.http.get("/internal/candles/SPY")).json()
    assert [(one["close"], one["vwap"], one["end"]) for one in page["items"]] == [
        (10.5, (11 + 9 + 10.5) / 3, "2026-01-05T14:31:00Z"),
        (11, 11, "2026-01-05T14:32:00Z"),
    ]
    # An older one is replaced, as the memory of what was looked up before is.
    await put(running, (HEADER + ROWS.replace("10.5,12,10,11,50", "10.5,12,10,10.7,50")).encode())
    page = (await running.http.get("/internal/candles/SPY")).json()
    assert [one["close"] for one in page["items"]] == [10.5, 10.7]
    run = {"symbols": ["SPY"], "minutes": 1, "start": "2026-01-05T14:31:00Z"}
    await running.ended(await running.start(synthetic={**run, "trades_per_minute": 5}))
    assert (await series(running, symbol="SPY"))[0] == {
        "symbol": "SPY",
        "timeframe": "1m",
        "candles": 2,
        "first": "2026-01-05T14:30:00Z",
        "last": "2026-01-05T14:31:00Z",
        "sources": ["import", "synthetic"],
    }
    assert {one["symbol"] for one in await series(running)} == {"SPY", "NEW"}


async def test_days_may_be_named_by_their_date_and_other_exchanges_by_their_code(
    running: Engine,
) -> None:
    days = pl.DataFrame(
        {
            "start": [datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6)],
            **{name: [10.0, 11.0] for name in ("open", "high", "low", "close", "volume")},
        }
    )
    content = BytesIO()
    days.write_parquet(content)
    answer = await put(running, content.getvalue(), "SPY.2026.parquet", timeframe="1d")
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["items"]
    assert (found["symbol"], found["first"]) == ("SPY", "2026-01-05T09:00:00Z")
    text = HEADER + "2026-01-04T03:00:00Z,BTC/USDT,10,11,9,10.5,100\n"  # a Sunday night
    assert (await put(running, text.encode(), exchange="24/7")).status_code == 200
    instrument = (await running.http.get("/internal/instruments/BTC%2FUSDT")).json()
    assert instrument["exchange"] == "24/7"


async def test_a_file_with_anything_wrong_is_refused_row_by_row_and_nothing_of_it_is_stored(
    running: Engine,
) -> None:
    bad = "2026-01-05T14:32:00Z,SPY,10,9,11,10,100\n2026-01-05T14:33:00Z,SPY,x,9,9,9,100\n"
    answer = await put(running, (HEADER + ROWS + bad).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_candle_file")
    assert [one["message"] for one in answer.json()["errors"]] == [
        "c.csv, line 5: its low is above its open or close",
        "c.csv, line 6: its open is not a finite number above zero",
    ]
    # Not on a minute; before all calendars.
    for at in ("2026-01-05T14:30:30", "1971-01-05T14:30:00"):
        text = HEADER + f"{at}Z,SPY,10,11,9,10.5,100\n" + ROWS.splitlines()[2]
        answer = await put(running, text.encode())
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_candle_file"), at
        assert "has no 1m candle" in answer.json()["detail"]
    many = "".join(f"2026-01-05T14:30:{second:02}Z,SPY,10,11,9,10,1\n" for second in range(1, 31))
    assert len((await put(running, (HEADER + many).encode())).json()["errors"]) == 20
    good = (HEADER + ROWS).encode()
    refused: list[tuple[bytes, dict[str, str], str]] = [
        (b"", {}, "invalid_candle_file"),
        (b"\xff\xfe\x00", {}, "invalid_candle_file"),
        (b"timestamp,open\n", {}, "invalid_candle_file"),
        (good, {"timeframe": "2m"}, "invalid_request"),
        (good, {"exchange": "NOWHERE"}, "unknown_exchange"),
        (b"PAR1", {"name": "a.parquet"}, "invalid_candle_file"),
        (b"\x1f\x8b\x00", {"name": "a.csv.gz"}, "invalid_candle_file"),
        (good, {"name": "a b"}, "invalid_name"),
    ]
    for content, query, code in refused:
        answer = await put(running, content, **query)
        assert (answer.status_code, answer.json()["code"]) == (422, code), content[:20]
    assert await series(running) == []
    assert (await running.http.get("/internal/instruments/NEW")).status_code == 404


NEW_YORK = new_york("2026-01-02", "2026-07-31")


@pytest.mark.parametrize(
    ("start", "opens"),
    [
        ("2026-01-05 09:00", "2026-01-05 09:00"),
        ("2026-01-05 00:00", "2026-01-05 09:00"),
        ("2026-01-05 05:00", "2026-01-05 09:00"),  # midnight in New York
        ("2026-07-06 04:00", "2026-07-06 08:00"),
        ("2026-01-02 05:00", "2026-01-02 09:00"),  # the calendar's first
        ("2026-01-05 09:01", None),
        ("2026-01-05 15:00", None),
        ("2026-01-03 05:00", None),  # a Saturday
        ("2026-01-03 00:00", None),
    ],
)
def test_a_daily_candle_is_named_by_its_open_or_a_midnight(start: str, opens: str | None) -> None:
    rows = [(ns(start), 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1)]
    candles, problems = candles_of(Symbol("SPY"), "1d", rows, NEW_YORK, 20)
    assert [utc(one.start_ns) for one in candles] == ([opens] if opens else [])
    assert len(problems) == (opens is None)
    # A market around the clock has its days from midnight in UTC alone.
    around = candles_of(Symbol("SPY"), "1d", rows, SessionCalendar.continuous(), 20)
    assert len(around[0]) == start.endswith(" 00:00")


def test_midnight_in_mumbai_is_on_the_day_before_in_utc() -> None:
    rows = [(ns("2026-01-04 18:30"), 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1)]
    [candle], _ = candles_of(Symbol("X"), "1d", rows, mumbai("2026-01-01", "2026-01-31"), 20)
    assert utc(candle.start_ns) == "2026-01-05 03:45"
