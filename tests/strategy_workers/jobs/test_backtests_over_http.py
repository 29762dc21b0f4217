"""Backtests as users have them: a real worker, and a real engine with the data."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine, text

from cli.embedded.servers import free_port
from market_data_engine.settings import MarketDataSettings
from strategy_workers.settings import StrategyWorkersSettings
from tests.market_data_engine.conftest import Engine as MarketEngine
from tests.market_data_engine.conftest import running_engine
from tests.strategy_workers.conftest import serving_worker
from tests.strategy_workers.doubles import eventually
from tests.strategy_workers.jobs.conftest import FIRST, MINUTES, price_at, store_candles

CROSSOVER = {"fast": 3, "slow": 8}


@dataclass
class Desk:
    """What a user does, through the worker's interface."""

    http: httpx.AsyncClient
    owner: UUID
    market: MarketEngine

    async def submit(self, **changes: object) -> httpx.Response:
        body = {
            "owner_id": str(self.owner),
            "strategy": "sma_crossover",
            "parameters": CROSSOVER,
            "symbols": ["SPY"],
            "data": {"source": "candles"},
        }
        return await self.http.post("/internal/backtests", json={**body, **changes})

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        params = {"owner_id": str(self.owner), **options.pop("params", {})}
        return await self.http.request(
            method, f"/internal/backtests{path}", params=params, **options
        )

    async def ended(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = {}

        async def over() -> bool:
            found.update((await self.ask("GET", f"/{answer.json()['id']}")).json())
            return found["status"] not in ("waiting", "running")

        await eventually(over, "the end of the backtest", timeout_s=60)
        return found


@pytest.fixture
async def desk(
    worker_settings: StrategyWorkersSettings,
    redis: Redis,
    engine: Engine,
    owner: UUID,
    tmp_path: Path,
) -> AsyncIterator[Desk]:
    port = free_port()
    market = MarketDataSettings(
        _env_file=None,
        **{
            **worker_settings.model_dump(include=set(MarketDataSettings.model_fields)),
            "market_data_port": port,
            "market_data_folder": tmp_path,
        },
    )
    url = f"http://127.0.0.1:{port}"
    async with (
        running_engine(market, redis) as running,
        serving_worker(
            worker_settings.model_copy(
                update={"market_data_url": url, "backtests_unfinished_per_user": 3}
            )
        ) as http,
    ):
        store_candles(engine, "SPY")
        yield Desk(http, owner, running)


async def test_a_backtest_is_run_read_compared_repeated_and_deployed(
    desk: Desk, account: UUID, stranger: UUID, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE instruments SET borrow_fee_bps = 35, shortable = false"))
    submitted = await desk.submit(
        end="2024-01-09", capital="50000", margin_terms={"interest_bps": "600"}
    )
    body = submitted.json()
    assert body["request"]["parameters"]["allocation"] == "95"  # defaults are part of it
    assert body["summary"] is None
    done = await desk.ended(submitted)
    assert (done["status"], done["error"], done["attempts"]) == ("done", None, 1)
    assert (done["rows_done"], done["rows_total"]) == (MINUTES, MINUTES)
    settings = done["summary"]["settings"]
    assert (settings["capital"], settings["margin"]["interest_bps"]) == ("50000", "600")
    # Lending is the instrument's.
    assert (settings["borrow_fee_bps"], settings["shortable"]) == ("35", False)
    path = f"/{done['id']}"
    result = (await desk.ask("GET", f"{path}/result")).json()
    assert result["execution_count"] == len(result["executions"]) > 4
    assert result["equity_curve"][-1][1] == result["equity"] == done["summary"]["equity"]
    report = await desk.ask("GET", f"{path}/report")
    assert report.headers["content-type"].startswith("text/html")
    assert "<svg" in report.text
    assert "<script" not in report.text

    # The same again, exactly.
    again = await desk.ended(await desk.ask("POST", f"{path}/repeat"))
    assert again["repeat_of"] == done["id"]
    assert again["repetition"] == {"same_result": True, "same_data": True, "same_code": True}
    assert again["request"] == done["request"]
    assert again["summary"] == done["summary"]

    both = {"ids": f"{done['id']},{again['id']}"}
    compared = (await desk.ask("GET", "/comparison", params=both)).json()
    assert compared["differences"] == []
    assert {len(set(row["values"])) for row in compared["figures"]} == {1}
    assert "side by side" in (await desk.ask("GET", "/comparison/report", params=both)).text

    first = (await desk.ask("GET", "", params={"limit": "1"})).json()
    rest = (await desk.ask("GET", "", params={"cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == [again["id"], done["id"]]
    assert (await desk.ask("GET", "", params={"status": "failed"})).json()["items"] == []

    deployed = await desk.ask("POST", f"{path}/deploy", json={"account_id": str(account)})
    assert deployed.status_code == 201, deployed.text
    for name in ("strategy", "parameters", "symbols", "timeframe"):
        assert deployed.json()[name] == done["request"][name]

    # Somebody else sees none of it, and changes nothing.
    for method, part, body in (
        ("GET", path, None),
        ("GET", f"{path}/result", None),
        ("GET", f"{path}/report", None),
        ("POST", f"{path}/cancel", None),
        ("POST", f"{path}/repeat", None),
        ("POST", f"{path}/deploy", {"account_id": str(account)}),
        ("DELETE", path, None),
    ):
        answer = await desk.ask(method, part, params={"owner_id": str(stranger)}, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), part
    mixed = await desk.ask("GET", "/comparison", params={**both, "owner_id": str(stranger)})
    assert mixed.status_code == 404
    # Without an owner: for admins.
    assert len((await desk.http.get("/internal/backtests")).json()["items"]) == 2

    assert (await desk.ask("POST", f"{path}/cancel")).json()["status"] == "done"  # too late
    assert (await desk.ask("DELETE", path)).status_code == 204
    assert (await desk.ask("DELETE", path)).status_code == 404
    left = (await desk.ask("GET", f"/{again['id']}")).json()
    assert (left["status"], left["repeat_of"], left["repetition"]) == ("done", None, None)


async def test_a_file_of_trades_that_the_platform_has_is_tested_on(
    desk: Desk, engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE instruments SET exchange = 'XNYS' WHERE symbol = 'SPY'"))
    rows = [
        f"{(FIRST + timedelta(seconds=30 * n)).isoformat()},SPY,{price_at(n)},10"
        for n in range(200)
    ]
    file_id = await desk.market.upload(
        "spy.csv", ("timestamp,symbol,price,size\n" + "\n".join(rows)).encode()
    )
    done = await desk.ended(
        await desk.submit(symbols=[], data={"source": "files", "file_ids": [file_id]})
    )
    assert (done["status"], done["error"]) == ("done", None)
    assert done["request"]["symbols"] == ["SPY"]
    assert done["summary"]["settings"]["source"] == "trades"
    assert done["summary"]["rows"] == 200
    assert done["summary"]["execution_count"] > 2
    outside = await desk.submit(
        symbols=[], data={"source": "files", "file_ids": [file_id]}, start="2025-01-01"
    )
    assert (outside.status_code, outside.json()["code"]) == (422, "no_data")
    other = await desk.submit(symbols=["QQQ"], data={"source": "files", "file_ids": [file_id]})
    assert (other.status_code, other.json()["code"]) == (422, "symbols_differ")


REFUSED: list[tuple[dict[str, object], int, str]] = [
    ({"strategy": "nothing"}, 404, "unknown_strategy"),
    ({"parameters": {"fast": 40}}, 422, "invalid_parameters"),
    ({"parameters": {"speed": 1}}, 422, "invalid_parameters"),
    ({"symbols": []}, 422, "no_symbols"),
    ({"symbols": ["SPY", "SPY"]}, 422, "repeated_symbol"),
    ({"symbols": ["XXX"]}, 422, "unknown_symbol"),
    ({"symbols": ["QQQ"]}, 422, "no_data"),
    ({"symbols": ["SPY", "BTC"]}, 422, "instruments_differ"),
    ({"timeframe": "2m"}, 422, "invalid_request"),
    ({"data": {"source": "candles", "timeframe": "1h"}}, 422, "invalid_timeframe"),
    ({"timeframe": "1h"}, 422, "no_data"),
    ({"start": "2024-02-01", "end": "2024-01-01"}, 422, "invalid_range"),
    ({"start": "2024-02-01"}, 422, "no_data"),
    ({"end": "2023-02-01"}, 422, "no_data"),
    ({"capital": "0"}, 422, "invalid_request"),
    ({"capital": "NaN"}, 422, "invalid_request"),
    ({"capital": "1e13"}, 422, "invalid_request"),
    ({"paper_terms": {"participation_percent": "101"}}, 422, "invalid_paper_terms"),
    ({"paper_terms": {"slippage": {"model": "luck"}}}, 422, "invalid_paper_terms"),
    ({"margin_terms": {"initial_percent": "5"}}, 422, "invalid_margin_terms"),
    ({"margin_terms": {"leverage": "4"}}, 422, "invalid_margin_terms"),
    ({"margin_terms": []}, 422, "invalid_request"),
    ({"symbols": ["SPY", "QQQ"], "margin_terms": {}}, 422, "instruments_differ"),
    ({"borrow_fee_bps": "10"}, 422, "invalid_margin_terms"),
    ({"margin_terms": {}, "borrow_fee_bps": "-1"}, 422, "invalid_request"),
    ({"data": {"source": "files", "file_ids": [str(uuid4())]}}, 422, "unknown_file"),
    ({"data": {"source": "files", "file_ids": []}}, 422, "invalid_request"),
    ({"data": {"source": "dreams"}}, 422, "invalid_request"),
    ({"owner_id": str(uuid4())}, 404, "not_found"),
    ({"wanted": "now"}, 422, "invalid_request"),
]


async def test_what_can_not_be_run_is_told_in_a_sentence_and_not_stored(
    desk: Desk, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO instruments (symbol, name, exchange, currency, tick_size, lot_size,"
                " tradable, shortable, borrow_fee_bps, created_at)"
                " VALUES ('BTC', 'BTC', '24/7', 'USD', 0.1, 1, true, true, 0, now())"
            )
        )
        connection.execute(text("UPDATE instruments SET borrow_fee_bps = 35 WHERE symbol = 'QQQ'"))
    for changes, status, code in REFUSED:
        answer = await desk.submit(**changes)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (changes, answer.text)
        assert answer.json()["detail"].endswith((".", "number", "input")) or errors_of(answer)
    for path in ("/x", f"/{uuid4()}", f"/{uuid4()}/result", f"/{uuid4()}/report"):
        assert (await desk.ask("GET", path)).status_code in (404, 422)
    one = str(uuid4())
    for ids in ("", one, f"{one},{one}", f"{one},x", ",".join(str(uuid4()) for _ in range(11))):
        answer = await desk.ask("GET", "/comparison", params={"ids": ids})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM backtests")).scalar() == 0


def errors_of(answer: httpx.Response) -> bool:
    return bool(answer.json().get("errors"))


async def test_a_user_may_have_only_so_many_unfinished_ones(
    desk: Desk, stranger: UUID, engine: Engine
) -> None:
    with engine.begin() as connection:
        # A worker that is busy with them: it has the leases.
        for _ in range(3):
            connection.execute(
                text(
                    "WITH made AS (INSERT INTO backtests (id, owner_id, status, request,"
                    " cancel_wanted, attempts, rows_done, created_at) VALUES"
                    " (gen_random_uuid(), :owner, 'running', '{}', false, 1, 0, now())"
                    " RETURNING id) INSERT INTO leases (kind, key, owner, epoch, expires_at)"
                    " SELECT 'backtest', id::text, 'busy', 1, now() + interval '1 hour' FROM made"
                ),
                {"owner": desk.owner},
            )
    refused = await desk.submit()
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_backtests")
    assert refused.json()["limit"] == "3"
    assert (await desk.submit(owner_id=str(stranger))).status_code == 201
