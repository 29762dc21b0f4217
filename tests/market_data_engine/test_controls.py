"""Pausing, jumping and changing the speed of a run, through the engine's interface."""

from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from market_data_engine.settings import MarketDataSettings
from shared.models.market import Candles, Quotes, RunEnded, TimeMark, Trades
from tests.market_data_engine.conftest import Engine, Participant, csv, running_engine, until

START = "2026-01-05T14:30:00Z"
HOUR: dict[str, Any] = {"symbols": ["SIM-TREND"], "start": START, "minutes": 60}


async def press(engine: Engine, run_id: str, button: str, body: Any = None) -> tuple[int, Any]:
    answer = await engine.http.post(f"/internal/replays/{run_id}/{button}", json=body)
    return answer.status_code, answer.json()


async def in_state(engine: Engine, run_id: str, state: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        replay = await engine.replay(run_id)
        return replay if replay["state"] == state else None

    found: dict[str, Any] = await until(there, 30)
    return found


async def paused_at_once(engine: Engine, **request: Any) -> str:
    """The clock starts with the first mark, so at half speed nothing comes of it yet."""
    run_id = await engine.start(speed=0.5, **request)
    status, replay = await press(engine, run_id, "pause")
    assert status == 200, replay
    await in_state(engine, run_id, "paused")
    return run_id


def minutes(orders: Participant) -> list[str]:
    ends = {mark.at_ns // 60_000_000_000 % 1440 for mark in orders.of(TimeMark)}
    return [f"{end // 60}:{end % 60:02}" for end in sorted(ends)]


async def test_a_paused_run_holds_market_time_for_everyone_until_it_goes_on(
    running: Engine, orders: Participant
) -> None:
    run_id = await paused_at_once(running, synthetic=HOUR)
    marks = len(orders.of(TimeMark))
    held = await running.replay(run_id)
    assert (held["status"], held["state"], held["speed"]) == ("running", "paused", 0.5)
    assert held["symbols"] == ["SIM-TREND"]
    assert (held["starts_at"], held["ends_at"][:19]) == (START, "2026-01-05T15:29:59")
    status, faster = await press(running, run_id, "speed", {"speed": "max"})
    assert (status, faster["speed"], faster["state"]) == (200, "max", "paused")
    again = await running.replay(run_id)
    assert (again["market_time"], again["ticks"]) == (held["market_time"], held["ticks"])
    assert len(orders.of(TimeMark)) == marks
    status, replay = await press(running, run_id, "resume")
    assert (status, replay["state"]) == (200, "playing")
    ended = await running.ended(run_id)
    assert (ended["status"], ended["state"], ended["progress"]) == ("finished", None, 1.0)
    assert ended["skipped_ticks"] == 0


async def test_a_jump_shows_the_books_nothing_of_what_it_passes_over(
    running: Engine, orders: Participant
) -> None:
    """Candles are whole all the same, in the store and for charts; the tape goes on with time."""
    run_id = await paused_at_once(running, synthetic=HOUR)
    before = await running.replay(run_id)
    status, _ = await press(running, run_id, "seek", {"to": "2026-01-05T15:27:30Z"})
    assert status == 200
    landed = await in_state(running, run_id, "paused")
    assert landed["market_time"] == "2026-01-05T15:27:00Z"
    assert landed["ticks"] == before["ticks"]
    assert landed["ticks"] + landed["skipped_ticks"] == 57 * 120
    assert minutes(orders)[-1] == "15:27"
    await press(running, run_id, "speed", {"speed": "max"})
    await press(running, run_id, "resume")
    replay = await running.ended(run_id)
    assert (replay["status"], replay["progress"]) == ("finished", 1.0)
    played = [at_ns for trades in orders.of(Trades) for at_ns in trades.at_ns]
    first_ns = int(1_767_626_820e9)  # 15:27
    assert len([at_ns for at_ns in played if at_ns >= first_ns]) == 3 * 120
    assert len(played) == replay["ticks"]
    # What completes after the jump is whole; what completed in it isn't on the tape.
    told = [one for candles in orders.of(Candles) for one in candles.candles]
    assert [one.trades for one in told if one.timeframe == "1m"] == [120] * 3
    assert [one.trades for one in told if one.timeframe == "30m"] == [30 * 120]
    page = await running.http.get("/internal/candles/SIM-TREND", params={"start": START})
    assert [one["trades"] for one in page.json()["items"]] == [120] * 60


async def test_a_run_can_begin_in_the_midst_of_its_market_with_the_quotes_that_stand_there(
    running: Engine, orders: Participant
) -> None:
    quotes = (
        b"timestamp,symbol,bid,bid_size,ask,ask_size\n2026-01-05T14:30:01Z,SPY,10,100,10.02,200\n"
        b"2026-01-05T14:31:30Z,SPY,11,100,11.01,50\n2026-01-05T14:32:30Z,SPY,12,100,12.01,50\n"
    )
    trades = csv("2026-01-05T14:30:01Z,SPY,10,1", "2026-01-05T14:32:02Z,SPY,11,1")
    files = [await running.upload("q.csv", quotes), await running.upload("t.csv", trades)]
    run_id = await running.start(files=files, start_at="2026-01-05T14:32:00Z")
    replay = await running.ended(run_id)
    assert (replay["status"], replay["ticks"], replay["skipped_ticks"]) == ("finished", 1, 1)
    assert [quote.bid for quote in orders.of(Quotes)] == [[11.0], [12.0]]
    assert [trade.price for trade in orders.of(Trades)] == [[11.0]]
    assert minutes(orders)[0] == "14:32"
    for start_at in ("2026-01-05T14:29:59Z", "2026-01-05T14:32:31Z"):
        answer = await running.http.post(
            "/internal/replays", json={"files": files, "start_at": start_at}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "start_outside")


async def test_buttons_that_mean_nothing_now_are_refused_and_change_nothing(
    running: Engine, orders: Participant
) -> None:
    run_id = await paused_at_once(running, synthetic=HOUR, started_by=str(uuid4()))
    before = await running.replay(run_id)
    refused: list[tuple[str, Any, int, str]] = [
        ("pause", None, 409, "already_paused"),
        ("seek", {"to": START}, 409, "seek_backwards"),
        ("seek", {"to": "2026-01-05T15:30:00Z"}, 422, "seek_beyond_end"),
        ("seek", {"to": "2026-01-05T15:00:00"}, 422, "invalid_request"),
        ("seek", {"to": None}, 422, "invalid_request"),
        ("seek", {}, 422, "invalid_request"),
        ("speed", {"speed": 0.4}, 422, "invalid_request"),
        ("speed", {"speed": -1}, 422, "invalid_request"),
        ("speed", {"speed": "NaN"}, 422, "invalid_request"),
        ("speed", {"speed": 1, "more": 1}, 422, "invalid_request"),
    ]
    for button, body, status, code in refused:
        answer = await press(running, run_id, button, body)
        assert (answer[0], answer[1]["code"]) == (status, code), (button, body)
    assert await running.replay(run_id) == before
    assert (await press(running, run_id, "resume"))[0] == 200
    assert (await press(running, run_id, "resume"))[1]["code"] == "not_paused"
    assert (await press(running, str(uuid4()), "pause"))[0] == 404
    await press(running, run_id, "stop")
    for button, body in (
        ("pause", None),
        ("resume", None),
        ("speed", {"speed": 1}),
        ("seek", {"to": "2026-01-05T15:00:00Z"}),
    ):
        status, problem = await press(running, run_id, button, body)
        assert (status, problem["code"]) == (409, "replay_not_running"), button
    assert [entry.run_id for entry in orders.of(RunEnded)] in ([], [run_id])


async def test_a_market_that_goes_with_the_wall_clock_can_only_be_stopped(
    engine_settings: MarketDataSettings, redis: Redis
) -> None:
    settings = engine_settings.model_copy(update={"market_data_mode": "simulated"})
    async with running_engine(settings, redis) as engine:

        async def under_way() -> str | None:
            items = (await engine.http.get("/internal/replays")).json()["items"]
            return items[0]["id"] if items else None

        run_id = await until(under_way)
        for button in ("pause", "resume"):
            status, problem = await press(engine, run_id, button)
            assert (status, problem["code"]) == (409, "not_a_replay")
