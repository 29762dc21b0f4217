"""The HTTP interface: runs that begin, and those that don't."""

import asyncio
from typing import Any

from market_data_engine.settings import MarketDataSettings
from tests.market_data_engine.asking import GOOD, RUN, get, ran
from tests.market_data_engine.conftest import Engine, Participant, csv

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
