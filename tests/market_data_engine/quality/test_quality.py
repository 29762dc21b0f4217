"""The quality of candles through the engine's interface."""

from typing import Any

from market_data_engine.settings import MarketDataSettings
from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.stored import StoredCandle
from shared.candles.timeframes import MINUTE_NS
from shared.database import make_engine
from shared.market_files.lines import parse_time
from shared.models.identifiers import Symbol
from shared.models.market import Candle
from tests.market_data_engine.conftest import Engine

QUALITY = "/internal/market-data/quality"
OPEN_NS = parse_time("2026-03-19T13:30:00Z")


def minutes(symbol: str, count: int) -> list[StoredCandle]:
    starts = [OPEN_NS + number * MINUTE_NS for number in range(count)]
    return [
        StoredCandle(
            Candle(Symbol(symbol), "1m", start, start + MINUTE_NS, 5.0, 5.0, 5.0, 5.0, 1.0, 5.0, 1),
            "import",
            "complete",
            start,
        )
        for start in starts
    ]


async def test_days_are_scored_filtered_and_paged(
    running: Engine, engine_settings: MarketDataSettings
) -> None:
    database = make_engine(engine_settings)
    PostgresCandleStore(database).write([*minutes("SPY", 390), *minutes("IBM", 195)])
    database.dispose()
    query: dict[str, Any] = {"symbol": ["SPY", "IBM"], "from": "2026-03-19", "to": "2026-03-20"}

    async def page(**more: Any) -> dict[str, Any]:
        answer = await running.http.get(QUALITY, params={**query, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    whole = await page()
    assert [(one["symbol"], one["day"], one["score"]) for one in whole["items"]] == [
        ("IBM", "2026-03-20", 0.0),
        ("IBM", "2026-03-19", 57.5),
        ("SPY", "2026-03-20", 0.0),
        ("SPY", "2026-03-19", 100.0),
    ]
    assert whole["next_cursor"] is None
    half = whole["items"][1]
    assert (half["expected"], half["present"], half["longest_gap"]) == (390, 195, 195)
    assert half["sources"] == ["import"]
    first = await page(limit=2)
    rest = await page(limit=9, cursor=first["next_cursor"])
    assert first["items"] + rest["items"] == whole["items"]
    assert [one["score"] for one in (await page(below=60))["items"]] == [0.0, 57.5, 0.0]

    for wrong, code in (
        ({"symbol": ["NOBODY"]}, "unknown_symbol"),
        ({"from": "2026-03-21"}, "invalid_range"),
        ({"from": "2020-03-21"}, "invalid_range"),
        ({"to": "1969-12-31", "from": "1969-12-30"}, "invalid_range"),
        ({"cursor": "nonsense"}, "invalid_cursor"),
        ({"cursor": "2026-99-99_SPY"}, "invalid_cursor"),
        ({"timeframe": "1w"}, "invalid_request"),
        ({"below": "nan"}, "invalid_request"),
        ({"limit": 0}, "invalid_request"),
    ):
        refused = await running.http.get(QUALITY, params={**query, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, code), wrong
    nothing = await running.http.get(QUALITY, params={"tier": "T0"})
    assert nothing.json() == {"items": [], "next_cursor": None}
