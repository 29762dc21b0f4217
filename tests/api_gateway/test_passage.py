"""What goes through the gateway to the services behind it, and back."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx

from cli.embedded.servers import free_port
from shared.config import Settings
from tests.api_gateway.conftest import Api, Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, problem


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_an_answer_comes_back_as_it_was_given(trader: Person, behind: HttpDouble) -> None:
    candles = {"symbol": "SPY", "timeframe": "5m", "items": [], "next_cursor": None, "more": 1}
    behind.answer("GET", "/internal/candles/SPY", candles)
    answer = await trader.http.get(
        "/candles/SPY",
        params={"timeframe": "5m", "start": "2026-03-19T09:30:00-04:00", "limit": 10},
        headers={"X-Request-ID": "trace-me-0002"},
    )
    assert (answer.status_code, answer.json()) == (200, candles)
    asked = behind.seen[-1]
    assert asked.query == {"timeframe": "5m", "start": "2026-03-19T13:30:00+00:00", "limit": "10"}
    assert asked.headers["x-request-id"] == "trace-me-0002"
    assert asked.headers["x-internal-token"]
    assert "authorization" not in asked.headers
    assert answer.headers["x-request-id"] == "trace-me-0002"


async def test_a_problem_comes_back_with_its_status_and_code(
    trader: Person, behind: HttpDouble
) -> None:
    for status, its_code in ((404, "unknown_strategy"), (409, "taken"), (422, "odd"), (503, "x")):
        behind.answer("GET", "/internal/strategies/x", problem(status, its_code), status)
        assert code(await trader.http.get("/strategies/x")) == (status, its_code)


async def test_a_failure_behind_is_a_bad_gateway_never_our_500_nor_the_callers_401(
    trader: Person, behind: HttpDouble
) -> None:
    for status in (401, 500):
        behind.answer("GET", "/internal/strategies", problem(status, "secret"), status)
        answer = await trader.http.get("/strategies")
        assert code(answer) == (502, "upstream_failed")
        assert "secret" not in answer.text
    behind.answers[("GET", "/internal/strategies")] = (302, b"<html>", "text/html")
    assert code(await trader.http.get("/strategies")) == (502, "upstream_failed")


async def test_a_service_that_is_down_is_told_as_such(
    settings: Settings, behind: HttpDouble
) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    async with running(make_settings(settings, down)) as api:
        trader = await api.person("ada")
        for path in ("/instruments", "/candles/SPY", "/strategies", "/replays"):
            answer = await trader.http.get(path)
            assert code(answer) == (503, "service_unavailable")
            assert answer.headers["retry-after"] == "1"


async def test_paths_reach_no_other_address_behind(trader: Person, behind: HttpDouble) -> None:
    for symbol in ("%2e%2e", "%2e%2e%2finstruments", "a%2f..%2fb", "a%2f%2e%2e", "%3fx", "a%23"):
        answer = await trader.http.get(f"/candles/{symbol}")
        assert answer.status_code in (404, 422)
    assert behind.seen == []
    await trader.http.get("/candles/BTC%2FUSDT")
    assert behind.seen[-1].path == "/internal/candles/BTC/USDT"


async def test_an_indicators_parameters_go_along(trader: Person, behind: HttpDouble) -> None:
    answer = await trader.http.get("/indicators/SMA/SPY?period=20&timeframe=1h&timeframe=5m")
    assert answer.status_code == 404
    assert behind.seen[-1].path == "/internal/indicators/SMA/SPY"
    assert behind.seen[-1].query == {"period": "20", "timeframe": "5m", "limit": "500"}
    for query in ("A=1", "period=%00", "x=" + "9" * 100, "&".join(f"p{n}=1" for n in range(20))):
        answer = await trader.http.get(f"/indicators/SMA/SPY?{query}")
        assert code(answer) == (422, "invalid_parameters")


async def test_times_without_a_zone_or_out_of_all_range_are_refused(
    trader: Person, behind: HttpDouble
) -> None:
    for start in (
        "2026-03-19T09:30:00",
        "yesterday",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "99999999999999999999",
    ):
        answer = await trader.http.get("/candles/SPY", params={"start": start})
        assert code(answer) == (422, "invalid_request"), start
    assert behind.seen == []


# --- what only admins do ---------------------------------------------------------------------


async def test_only_admins_upload_and_run(api: Api, trader: Person, behind: HttpDouble) -> None:
    for method, path, body in (
        ("PUT", "/market-files/spy.csv", None),
        ("POST", "/replays", {"synthetic": {}}),
        *(("POST", f"/replays/{uuid4()}/{button}", None) for button in ("stop", "pause", "resume")),
        ("POST", f"/replays/{uuid4()}/speed", {"speed": 1}),
        ("POST", f"/replays/{uuid4()}/seek", {"to": "2026-03-19T15:30:00Z"}),
    ):
        answer = await trader.http.request(method, path, json=body)
        assert code(answer) == (403, "admins_only")
        assert code(await api.http.request(method, path, json=body)) == (401, "unauthenticated")
    assert behind.seen == []


async def test_an_upload_passes_through_piece_by_piece(api: Api, behind: HttpDouble) -> None:
    admin = await api.admin()
    piece = b"2026-03-19T13:30:00Z,SPY,501.25,100\n" * 1000

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(60):  # 2 MB: more than other bodies may have
            yield piece

    behind.answer("PUT", "/internal/market-files/spy.csv", {"id": "1"}, 201)
    answer = await admin.http.put("/market-files/spy.csv", content=pieces())
    assert (answer.status_code, answer.json()) == (201, {"id": "1"})
    assert behind.seen[-1].body == piece * 60
    packed = gzip.compress(piece)
    await admin.http.put(
        "/market-files/spy.csv", content=packed, headers={"Content-Type": "application/gzip"}
    )
    assert behind.seen[-1].body == packed
    assert behind.seen[-1].headers["content-length"] == str(len(packed))


async def test_a_run_is_asked_for_in_the_engines_words(api: Api, behind: HttpDouble) -> None:
    admin = await api.admin()
    file_id = str(uuid4())
    behind.answer("POST", "/internal/replays", {"id": file_id}, 201)
    answer = await admin.http.post("/replays", json={"files": [file_id], "speed": 10})
    assert answer.status_code == 201
    asked = json.loads(behind.seen[-1].body)
    me = (await admin.http.get("/auth/me")).json()["id"]
    assert asked == {"files": [file_id], "speed": 10, "started_by": me}
    for wrong in (
        {},
        {"files": []},
        {"files": ["x"]},
        {"files": [file_id], "synthetic": {}},
        {"synthetic": {}, "speed": 0.1},
        {"synthetic": {}, "speed": "fast"},
        {"synthetic": {}, "speed": True},
        {"synthetic": {"minutes": 0}},
        {"synthetic": {"symbol": "SPY"}},
        {"synthetic": {}, "start_at": "2026-03-19"},
        {"synthetic": {}, "started_by": str(uuid4())},
    ):
        assert code(await admin.http.post("/replays", json=wrong)) == (422, "invalid_request")


async def test_a_runs_buttons_are_passed_on_and_what_they_mean_is_checked_first(
    api: Api, behind: HttpDouble
) -> None:
    admin = await api.admin()
    run = f"/replays/{uuid4()}"
    for button, body in (
        ("pause", None),
        ("resume", None),
        ("speed", {"speed": "max"}),
        ("seek", {"to": "2026-03-19T15:30:00Z"}),
    ):
        behind.answer("POST", f"/internal{run}/{button}", {"id": "1"})
        answer = await admin.http.post(f"{run}/{button}", json=body)
        assert (answer.status_code, answer.json()) == (200, {"id": "1"})
        if body is not None:
            assert json.loads(behind.seen[-1].body) == body
    seen = len(behind.seen)
    for button, wrong in (
        ("speed", {}),
        ("speed", {"speed": 0}),
        ("speed", {"speed": "1"}),
        ("seek", {"to": "tomorrow"}),
        ("seek", {"to": "2026-03-19T15:30:00"}),
        ("seek", {"to": "2026-03-19T15:30:00Z", "from": None}),
    ):
        answer = await admin.http.post(f"{run}/{button}", json=wrong)
        assert code(answer) == (422, "invalid_request")
    assert len(behind.seen) == seen


# --- accounts' own things behind us ----------------------------------------------------------


async def test_deployments_are_asked_for_with_their_account(
    trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    path, deployment = f"/accounts/{account['id']}/deployments", uuid4()
    behind.answer("POST", "/internal/deployments", {"id": str(deployment)}, 201)
    body = {"strategy": "sma_crossover", "symbols": ["SPY"], "parameters": {"fast": 5}}
    assert (await trader.http.post(path, json=body)).status_code == 201
    assert b'"account_id":"' + account["id"].encode() + b'"' in behind.seen[-1].body
    for method, below in (
        ("GET", ""),
        ("POST", "/stop"),
        ("GET", "/signals"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("PATCH", ""),
        ("GET", "/parameters"),
        ("GET", "/logs"),
        ("GET", "/plots"),
        ("GET", "/variables"),
    ):
        change = {"parameters": {"fast": 6}} if method == "PATCH" else None
        await trader.http.request(method, f"{path}/{deployment}{below}", json=change)
        assert behind.seen[-1].path == f"/internal/deployments/{deployment}{below}"
        assert behind.seen[-1].query["account_id"] == account["id"]
        if below == "/pause":
            assert behind.seen[-1].body == b'{"working_orders":"cancel_entries"}'
    seen = len(behind.seen)
    for url, wrong in (
        (f"{path}/{deployment}/pause", {"working_orders": "sell"}),
        (f"{path}/{deployment}", {"parameters": {}}),
    ):
        method = "POST" if url.endswith("pause") else "PATCH"
        assert code(await trader.http.request(method, url, json=wrong)) == (422, "invalid_request")
    assert len(behind.seen) == seen
    await trader.http.get(path, params={"cursor": "2026-03-19T13:30:00Z=x", "limit": 5})
    assert behind.seen[-1].query == {
        "account_id": account["id"],
        "cursor": "2026-03-19T13:30:00Z=x",
        "limit": "5",
    }


async def test_performance_is_asked_for_with_its_account(
    trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    behind.answer("GET", "/internal/performance", {"trades": 0})
    answer = await trader.http.get(f"/accounts/{account['id']}/performance?timeframe=1h")
    assert answer.json() == {"trades": 0}
    assert behind.seen[-1].query == {
        "account_id": account["id"],
        "mode": "paper",
        "timeframe": "1h",
        "max_points": "2000",
    }


async def test_numbers_that_json_does_not_have_go_no_further(
    trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    for value in ["NaN", "Infinity", "1e999"]:
        body = f'{{"strategy":"s","symbols":["SPY"],"parameters":{{"fast":{value}}}}}'
        answer = await trader.http.post(
            f"/accounts/{account['id']}/deployments",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert code(answer) == (422, "invalid_request")
        assert behind.seen == []


# --- backtests -------------------------------------------------------------------------------


async def test_backtests_are_asked_for_as_the_caller_alone(
    api: Api, trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    asked = {
        "strategy": "s",
        "data": {"source": "candles"},
        "symbols": ["SPY"],
        "end": "2026-03-19",
    }
    await trader.http.post("/backtests", json=asked)
    body = json.loads(behind.seen[-1].body)
    owner = body["owner_id"]
    assert (body["end"], body["start"], body["paper_terms"]) == ("2026-03-19", None, {})
    assert (body["margin_terms"], body["borrow_fee_bps"]) == (None, None)
    margin = {"margin_terms": {"interest_bps": "600.50"}, "borrow_fee_bps": "30"}
    await trader.http.post("/backtests", json=asked | margin)
    body = json.loads(behind.seen[-1].body)
    assert (body["margin_terms"], body["borrow_fee_bps"]) == ({"interest_bps": "600.5"}, "30")
    bad = await trader.http.post("/backtests", json=asked | {"margin_terms": {"leverage": "4"}})
    assert code(bad) == (422, "invalid_request")
    one = uuid4()
    for method, path in (
        ("GET", f"/backtests/{one}"),
        ("GET", f"/backtests/{one}/result"),
        ("POST", f"/backtests/{one}/cancel"),
        ("POST", f"/backtests/{one}/repeat"),
        ("DELETE", f"/backtests/{one}"),
        ("GET", "/backtests"),
    ):
        assert (await trader.http.request(method, path)).status_code == 404  # the double has none
        assert behind.seen[-1].query["owner_id"] == owner, path
    admin = await api.admin()
    await admin.http.get(f"/backtests/{one}")
    assert "owner_id" not in behind.seen[-1].query
    seen = len(behind.seen)
    assert code(await admin.http.post("/backtests", json=asked)) == (403, "admins_can_not_trade")
    strange = await trader.http.post(f"/backtests/{one}/deploy", json={"account_id": str(one)})
    assert code(strange) == (404, "not_found")
    for bad in ({"end": "19.3.2026"}, {"start": 1}, {"owner_id": str(one)}, {"capital": "-1"}):
        answer = await trader.http.post("/backtests", json={**asked, **bad})
        assert code(answer) == (422, "invalid_request"), bad
    assert len(behind.seen) == seen
    await trader.http.post(f"/backtests/{one}/deploy", json={"account_id": account["id"]})
    assert behind.seen[-1].path == f"/internal/backtests/{one}/deploy"


async def test_a_report_comes_as_a_page_that_may_run_nothing(
    trader: Person, behind: HttpDouble
) -> None:
    one = uuid4()
    path = f"/internal/backtests/{one}/report"
    behind.answers[("GET", path)] = (200, b"<html></html>", "text/html; charset=utf-8")
    answer = await trader.http.get(f"/backtests/{one}/report")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src")
