"""What tests of the HTTP interface ask with."""

from typing import Any

from tests.market_data_engine.conftest import Engine, csv

RUN: dict[str, Any] = {
    "symbols": ["SIM-TREND"],
    "start": "2026-01-05T14:30:00Z",
    "minutes": 40,
    "trades_per_minute": 12,
}
GOOD = csv("2024-01-08T15:00:05Z,BRK.B,10.5,1", "2024-01-08T15:00:55Z,BTC/USDT,20,2")


async def get(engine: Engine, path: str, **query: Any) -> Any:
    answer = await engine.http.get(f"/internal{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ran(engine: Engine, **changes: Any) -> None:
    replay = await engine.ended(await engine.start(synthetic={**RUN, **changes}))
    assert replay["status"] == "finished", replay


def starts(items: list[dict[str, Any]]) -> list[str]:
    return [item["start"][11:16] for item in items]
