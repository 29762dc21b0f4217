"""Backtests of uploaded strategies, and runs made again, by a real worker and a real engine."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from shared.database.tables import DeploymentParametersRow, DeploymentRow, ReplayRow, utc_now
from strategy_workers.library import LIBRARY
from strategy_workers.sandbox.process import Limits
from strategy_workers.uploads.actions import Uploads
from tests.strategy_workers.doubles import eventually
from tests.strategy_workers.jobs.conftest import FIRST
from tests.strategy_workers.jobs.test_backtests_over_http import CROSSOVER, Desk, desk
from tests.strategy_workers.sandbox.conftest import _confinable
from tests.strategy_workers.test_uploads import source

__all__ = ["_confinable", "desk"]


@pytest.mark.usefixtures("_confinable")
async def test_an_uploaded_strategy_is_tested_confined_in_the_version_asked_for(
    desk: Desk, engine: Engine, stranger: UUID
) -> None:
    uploads = Uploads(engine, LIBRARY, Limits(hook_timeout_s=20), candles=10)
    for reason in ("first", "second"):
        uploads.upload(desk.owner, "counting.py", source(reason=reason))
    asked: dict[str, Any] = {"strategy": "counting", "parameters": {"lots": 2}, "end": "2024-01-09"}
    uploads.decide("counting", 1, "approved", by=stranger, reason=None)
    pending = await desk.submit(**asked, strategy_version=2)
    assert (pending.status_code, pending.json()["code"]) == (404, "unknown_strategy")
    uploads.decide("counting", 2, "approved", by=stranger, reason=None)
    done = await desk.ended(await desk.submit(**asked, strategy_version=1))
    assert (done["status"], done["error"]) == ("done", None)
    assert (done["request"]["strategy_version"], done["summary"]["orders"] > 20) == (1, True)
    newest = await desk.submit(**asked)
    assert newest.json()["request"]["strategy_version"] == 2


@pytest.fixture
def deployment(engine: Engine, account: UUID) -> UUID:
    """It has run on live data, and has traded nothing."""
    with Session(engine) as session, session.begin():
        row = DeploymentRow(
            account_id=account,
            mode="paper",
            strategy="sma_crossover",
            parameters=CROSSOVER,
            symbols=["SPY"],
            timeframe="1m",
        )
        session.add(row)
        session.flush()
        session.add(
            DeploymentParametersRow(
                deployment_id=row.id,
                version=1,
                parameters=CROSSOVER,
                applied_at=FIRST + timedelta(minutes=60),
            )
        )
        return row.id


SYNTHETIC = (FIRST + timedelta(minutes=100), FIRST + timedelta(minutes=200))


def store_synthetic(engine: Engine) -> UUID:
    with Session(engine) as session, session.begin():
        row = ReplayRow(
            status="finished",
            speed="max",
            request={"synthetic": {"symbols": ["SPY"]}},
            symbols=["SPY"],
            starts_at=SYNTHETIC[0],
            ends_at=SYNTHETIC[1],
            candles={},
            finished_at=utc_now(),
        )
        session.add(row)
        session.flush()
        return row.id


async def reported(
    desk: Desk, path: str, params: dict[str, str], body: dict[str, str]
) -> dict[str, Any]:
    asked = await desk.http.post(path, params=params, json=body)
    assert asked.status_code == 201, asked.text
    found: dict[str, Any] = {}

    async def over() -> bool:
        answer = await desk.http.get(f"{path}/{asked.json()['id']}", params=params)
        found.update(answer.json())
        return found["status"] not in ("waiting", "running")

    await eventually(over, "the end of the report", timeout_s=60)
    assert (found["status"], found["error"]) == ("done", None)
    return found


async def test_a_run_of_live_data_is_made_again_from_the_stores_candles(
    desk: Desk, engine: Engine, account: UUID, deployment: UUID, stranger: UUID
) -> None:
    path = f"/internal/deployments/{deployment}/parity-reports"
    mine = {"account_id": str(account)}
    body = {"owner_id": str(desk.owner)}
    for changes, status, code in (
        ({"replay_id": str(uuid4())}, 404, "not_found"),
        ({"file_ids": [str(uuid4())]}, 422, "invalid_request"),
        ({"strategy_version": 4}, 422, "strategy_not_approved"),
        ({"paper_terms": {"latency_ms": -1}}, 422, "invalid_paper_terms"),
        ({"owner_id": str(uuid4())}, 404, "not_found"),
        ({"wanted": 1}, 422, "invalid_request"),
    ):
        refused = await desk.http.post(path, params=mine, json={**body, **changes})
        assert (refused.status_code, refused.json()["code"]) == (status, code), changes
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM backtests")).scalar() == 0

    found = await reported(desk, path, mine, body)
    report = found["report"]
    # It would have traded; why it didn't, nothing says.
    assert (report["verdict"], report["run_executions"]) == ("unexplained", 0)
    assert report["by_cause"] == {"unexplained": report["rerun_executions"]}
    assert {one["kind"] for one in report["differences"]} == {"only_in_rerun"}
    begin = (FIRST + timedelta(minutes=60)).strftime("%Y-%m-%dT%H:%M")
    assert min(one["rerun"]["at"] for one in report["differences"]) > begin
    assert (report["data"], len(report["notes"])) == ("candles", 1)

    # Of a market that was made up, what the store has of its span.
    replay = store_synthetic(engine)
    again = await reported(desk, path, mine, {**body, "replay_id": str(replay)})
    assert (again["replay_id"], again["report"]["data"]) == (str(replay), "candles")
    times = [datetime.fromisoformat(one["rerun"]["at"]) for one in again["report"]["differences"]]
    assert times
    assert SYNTHETIC[0] < min(times) <= max(times) <= SYNTHETIC[1]

    listed = (await desk.http.get(path, params=mine)).json()["items"]
    whole = [again, found]
    assert listed == [{name: one[name] for name in one if name != "report"} for one in whole]
    assert (await desk.ask("GET", "")).json()["items"] == []  # it is no backtest of theirs
    assert (await desk.ask("GET", f"/{found['id']}")).status_code == 404
    one = f"{path}/{found['id']}"
    other = await desk.http.delete(one, params={**mine, "owner_id": str(stranger)})
    assert (other.status_code, other.json()["code"]) == (404, "not_found")
    elsewhere = await desk.http.get(one, params={"account_id": str(uuid4())})
    assert elsewhere.status_code == 404
    late = await desk.http.post(f"{one}/cancel", params={**mine, **body})
    assert (late.status_code, late.json()["status"]) == (200, "done")
    assert (await desk.http.delete(one, params={**mine, **body})).status_code == 204
    assert (await desk.http.get(one, params=mine)).status_code == 404


async def test_a_backtest_asked_again_by_its_name_is_the_same_one(
    desk: Desk, stranger: UUID, engine: Engine
) -> None:
    asked: dict[str, Any] = {"client_backtest_id": "mine-1", "end": "2024-01-09"}
    answers = await asyncio.gather(*(desk.submit(**asked) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
    assert len({one.json()["id"] for one in answers}) == 1
    other = await desk.submit(**asked, capital="7")
    assert (other.status_code, other.json()["code"]) == (409, "client_backtest_id_conflict")
    theirs = await desk.submit(**asked, owner_id=str(stranger))
    assert theirs.status_code == 201
    for bad in ("", "x" * 129, 7):
        refused = await desk.submit(client_backtest_id=bad)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM backtests")).scalar() == 2
