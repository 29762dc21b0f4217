"""Whatever the API's own document allows, and what it forbids: never a server error, always the
documented shape. Against a real server, real Postgres and Valkey, and doubles behind.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine

from api_gateway.main import create_app
from shared.config import Settings
from shared.redis import make_redis
from tests.api_gateway.conftest import ADMIN, PASSWORD, make_settings
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble, serving

#: Each operation gets this many requests as its document allows, and as many as it forbids.
EXAMPLES = 10

#: 502 and 503 tell of services behind; the doubles are up, so these would be our fault.
FAULTS = {500, 501, 502, 503, 504}
CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


#: The other operations need it.
ENDS_THE_SESSION = {"logout", "refresh"}


@dataclass(frozen=True)
class Target:
    url: str
    trader: str
    admin: str
    account_id: str


@pytest.fixture
def target(settings: Settings, engine: Engine, behind: HttpDouble) -> Iterator[Target]:
    answer_as_documented(behind)
    with (
        processor_thread(settings, engine),
        serving(create_app(make_settings(settings, behind.url))) as url,
        httpx.Client(base_url=f"{url}/api/v1") as client,
    ):
        registration = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
        assert client.post("/auth/register", json=registration).status_code == 201
        trader, admin = (_token(client, login) for login in ("ada", ADMIN))
        account = client.post(
            "/accounts", json={"name": "Main"}, headers={"Authorization": f"Bearer {trader}"}
        )
        assert account.status_code == 201, account.text
        yield Target(url, trader, admin, account.json()["id"])


_ONE, _AT = str(uuid4()), "2026-03-19T13:30:00Z"
_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"period": {"type": "integer"}}}
_INDICATOR: dict[str, Any] = {
    "name": "SMA",
    "title": "Average",
    "parameters": _SCHEMA,
    "outputs": ["value"],
    "inputs": ["close"],
    "warm_up": 30,
    "incremental": True,
}
_STRATEGY: dict[str, Any] = {
    "name": "s",
    "title": "S",
    "description": "",
    "version": None,
    "package": None,
    "parameters": _SCHEMA,
}
_STRATEGY_VERSION: dict[str, Any] = {
    "strategy": "s",
    "version": 1,
    "status": "pending",
    "author_id": _ONE,
    "digest": "0" * 64,
    "findings": [{"check": "import", "passed": True, "said": "It was read."}],
    "uploaded_at": _AT,
    "decided_at": None,
    "reason": None,
}
_INSTRUMENT: dict[str, Any] = {
    "symbol": "SPY",
    "name": "SPY",
    "exchange": "XNYS",
    "currency": "USD",
    "tick_size": "0.01",
    "lot_size": "1",
    "tradable": True,
    "shortable": True,
    "borrow_fee_bps": "0",
}
_FILE: dict[str, Any] = {
    "id": _ONE,
    "name": "spy.csv",
    "kind": "trades",
    "sha256": "0" * 64,
    "rows": 1,
    "symbols": ["SPY"],
    "first_at": _AT,
    "last_at": _AT,
    "created_at": _AT,
}
_SERIES: dict[str, Any] = {
    "symbol": "SPY",
    "timeframe": "1m",
    "candles": 1,
    "first": _AT,
    "last": _AT,
    "sources": ["import"],
}
_REPLAY: dict[str, Any] = {
    "id": _ONE,
    "status": "running",
    "state": "seeking",
    "speed": 0.5,
    "request": {},
    "symbols": ["SPY"],
    "starts_at": _AT,
    "ends_at": _AT,
    "started_by": _ONE,
    "ticks": 0,
    "skipped_ticks": 0,
    "total_ticks": None,
    "progress": None,
    "candles": {"1m": 1},
    "market_time": None,
    "error": None,
    "created_at": _AT,
    "finished_at": None,
}
_DEPLOYMENT: dict[str, Any] = {
    "id": _ONE,
    "account_id": _ONE,
    "mode": "paper",
    "strategy": "s",
    "strategy_version": None,
    "parameters": {},
    "parameters_version": 1,
    "applied_version": 1,
    "symbols": ["SPY"],
    "timeframe": "1m",
    "wanted": "running",
    "status": "running",
    "last_error": None,
    "hold": None,
    "signals": 0,
    "created_at": _AT,
    "updated_at": _AT,
}
_QUALITY: dict[str, Any] = {
    "symbol": "SPY",
    "timeframe": "1m",
    "day": "2026-03-19",
    "score": 99.4,
    "parts": dict.fromkeys(("completeness", "source", "gaps", "corrections", "staleness"), 0.99),
    "expected": 390,
    "present": 389,
    "quiet": 0,
    "partial": 1,
    "healed": 0,
    "corrected": 0,
    "longest_gap": 1,
    "sources": ["live"],
}
_UNIVERSE: dict[str, Any] = {
    "version": 1,
    "items": [{"symbol": "SPY", "tier": "T0", "cadence_s": 60, "configured": True}],
    "next_cursor": None,
}
_BACKTEST: dict[str, Any] = {
    "id": _ONE,
    "owner_id": _ONE,
    "client_backtest_id": None,
    "status": "waiting",
    "request": {
        "strategy": "s",
        "parameters": {},
        "symbols": ["SPY"],
        "timeframe": "1m",
        "source": "candles",
        "data_timeframe": "1m",
        "files": [],
        "start": "2026-03-19",
        "end": None,
        "capital": "100000",
        "paper_terms": {
            "commission": {"model": "none"},
            "slippage": {"model": "none"},
            "participation_percent": "0",
            "extended_hours": True,
            "queue": "last",
            "latency_ms": 0,
            "latency_jitter_ms": 0,
        },
        "exchange": "XNYS",
        "currency": "USD",
        "tick_size": "0.01",
        "lot_size": "1",
    },
    "repeat_of": None,
    "repetition": None,
    "attempts": 0,
    "rows_done": 0,
    "rows_total": None,
    "error_code": None,
    "error": None,
    "summary": None,
    "code_version": None,
    "data_digest": None,
    "result_digest": None,
    "created_at": _AT,
    "started_at": None,
    "finished_at": None,
}
_FEED: dict[str, Any] = {
    "name": "alpaca",
    "symbols": ["SPY"],
    "state": "lost",
    "problem": "The connection was lost.",
    "losses": 1,
    "silent_s": 1.5,
    "stale": False,
}
_PROVIDER: dict[str, Any] = {
    "name": "alpaca",
    "capabilities": ["bars_1m"],
    "available": True,
    "breaker": "closed",
    "score": 0.9,
    "health": {"breaker": 1, "latency": 1, "errors": 0.5, "completeness": 1},
    "promoted": True,
    "throttled_for_s": 0,
    "problem": None,
    "scores": [{"at": _AT, "score": 0.9}],
}
_CONFIGURATION: dict[str, Any] = {"version": 1, "configuration": {"tiers": {"T0": ["SPY"]}}}
_JOB: dict[str, Any] = {
    "id": _ONE,
    "kind": "backfill",
    "tier": "T0",
    "symbol": "SPY",
    "start": _AT,
    "end": _AT,
    "status": "dead",
    "attempts": 1,
    "not_before": _AT,
    "provider": None,
    "candles": None,
    "problem": "Nobody answered.",
    "requested_by": "sweeper",
    "created_at": _AT,
    "updated_at": _AT,
}
_QUALITY: dict[str, Any] = {
    "symbol": "SPY",
    "timeframe": "1m",
    "day": "2026-03-19",
    "score": 99.5,
    "parts": {"completeness": 1, "source": 0.9, "gaps": 1, "corrections": 1, "staleness": 1},
    "expected": 390,
    "present": 390,
    "quiet": 0,
    "partial": 0,
    "healed": 390,
    "corrected": 0,
    "longest_gap": 0,
    "sources": ["alpaca"],
}
_UNIVERSE: dict[str, Any] = {
    "version": 1,
    "items": [{"symbol": "SPY", "tier": "T0", "cadence_s": 60, "configured": True}],
    "next_cursor": None,
}
_MAPPING: dict[str, Any] = {
    "party": "yahoo",
    "symbol": "BRK.B",
    "token": "BRK-B",
    "exchange": None,
    "kind": "equity",
    "lot_size": "1",
    "tick_size": None,
    "updated_by": "user:1",
    "updated_at": _AT,
}
_MISSING = {"party": "yahoo", "symbol": "INFY.NSE", "exchange": "XNSE", "first_at": _AT}
_UPLOADED: dict[str, Any] = {"added": 1, "changed": 0, "unchanged": 0}
_UNDELIVERABLE = {"id": "1-0", "order_id": "1-0", "reason": "It can't be read.", "body": "{"}
_TIER: dict[str, Any] = {
    "tier": "T0",
    "queued": 0,
    "running": 0,
    "done": 1,
    "dead": 1,
    "room": 5000,
    "oldest_queued_at": None,
}


def _page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": None}


def answer_as_documented(behind: HttpDouble) -> None:
    """One good answer of each kind that the services behind give."""
    behind.answer("PUT", "/internal/market-data/configuration", _CONFIGURATION)
    behind.answer("PUT", "/internal/market-data/universe", _UNIVERSE)
    behind.answer("POST", "/internal/market-data/jobs", {"added": 1}, 202)
    behind.answer("POST", "/internal/market-data/jobs/requeue", {"requeued": 1})
    behind.answer("PUT", "/internal/market-data/universe", _UNIVERSE)
    behind.answer("PUT", "/internal/market-data/mappings", _UPLOADED)
    for name in ("us-equities", "nse"):
        loaded = {**_UPLOADED, "instruments": 1}
        behind.answer("POST", f"/internal/market-data/mappings/sets/{name}", loaded)
    for path, body in (
        ("feeds", _page(_FEED)),
        ("market-data/providers", {**_page(_PROVIDER), "at": _AT}),
        ("market-data/configuration", _CONFIGURATION),
        ("market-data/universe", _UNIVERSE),
        ("market-data/quality", _page(_QUALITY)),
        ("market-data/jobs", _page(_JOB)),
        ("market-data/jobs/statistics", {"tiers": [_TIER]}),
        ("market-data/jobs/undeliverable", _page(_UNDELIVERABLE)),
        ("market-data/quality", _page(_QUALITY)),
        ("market-data/universe", _UNIVERSE),
        ("market-data/mappings", _page(_MAPPING)),
        ("market-data/mappings/missing", _page(_MISSING)),
        ("indicators", _page(_INDICATOR)),
        ("strategies", _page(_STRATEGY)),
        ("instruments", _page(_INSTRUMENT)),
        ("market-files", _page(_FILE)),
        ("replays", _page(_REPLAY)),
        ("candle-series", _page(_SERIES)),
        ("deployments", _page(_DEPLOYMENT)),
        ("backtests", _page(_BACKTEST)),
    ):
        behind.answer("GET", f"/internal/{path}", body)
    behind.answer("POST", "/internal/replays", _REPLAY, 201)
    behind.answer("POST", "/internal/deployments", _DEPLOYMENT, 201)
    behind.answer("POST", "/internal/strategies", _STRATEGY_VERSION, 201)
    behind.answer("POST", "/internal/backtests", _BACKTEST, 201)


@contextlib.contextmanager
def processor_thread(settings: Settings, engine: Engine) -> Iterator[None]:
    """The order processor's double, in a loop of its own beside the test's blocking calls."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        redis = make_redis(settings)
        async with ProcessorDouble(redis, engine, settings.order_shards).running():
            await stop.wait()
        await redis.aclose()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
        loop.close()


def _token(client: httpx.Client, login: str) -> str:
    answer = client.post("/auth/login", json={"login": login, "password": PASSWORD})
    token: str = answer.json()["access_token"]
    return token


@pytest.mark.timeout(240)
def test_no_request_breaks_the_gateway_or_its_document(target: Target) -> None:
    schema = schemathesis.openapi.from_url(f"{target.url}/api/v1/openapi.json")
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] in ENDS_THE_SESSION:
            continue
        for mode in schemathesis.GenerationMode:
            tried += attempt(operation, mode, target)
    assert tried > 400


def attempt(
    operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode, target: Target
) -> int:
    """The number of requests tried: none when the document leaves nothing to forbid."""
    requests = 0

    @seed(20260319)
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        nonlocal requests
        requests += 1
        answer = case.call(headers=_headers(case, target))
        assert answer.status_code not in FAULTS, (case.as_curl_command(), answer.text)
        if "x-request-id" not in answer.headers:
            assert answer.status_code == 400  # what isn't HTTP at all, the server itself refuses
        elif answer.status_code != 405:  # another method than the document's
            case.validate_response(answer, checks=CHECKS)

    with contextlib.suppress(Unsatisfiable):
        send()
    return requests


def _headers(case: schemathesis.Case, target: Target) -> dict[str, str]:
    """Mostly somebody with rights, on an account that is there."""
    parameters: dict[str, Any] = case.path_parameters or {}
    if "account_id" in parameters and hash(case.id) % 4:
        parameters["account_id"] = target.account_id
        case.path_parameters = parameters
    admins_do = case.path.startswith(
        ("/api/v1/replays", "/api/v1/market-files", "/api/v1/candle-files")
    )
    token = target.admin if admins_do else target.trader
    return {"Authorization": f"Bearer {token}", "X-Request-ID": uuid4().hex}
