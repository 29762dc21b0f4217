"""One good answer of each kind that the services behind the gateway give."""

from typing import Any
from uuid import uuid4

from tests.api_gateway.doubles import HttpDouble

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
_BACKTEST: dict[str, Any] = {
    "id": _ONE,
    "client_backtest_id": None,
    "owner_id": _ONE,
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
    "score": 99.4,
    "parts": {
        "completeness": 1,
        "source": 1,
        "gaps": 1,
        "corrections": 0.94,
        "staleness": 1,
    },
    "expected": 390,
    "present": 390,
    "quiet": 0,
    "partial": 0,
    "healed": 0,
    "corrected": 2,
    "longest_gap": 0,
    "sources": ["alpaca"],
}
_UNIVERSE: dict[str, Any] = {
    "version": 1,
    "items": [{"symbol": "SPY", "tier": "T0", "cadence_s": 60, "configured": True}],
    "next_cursor": None,
}
_UNDELIVERABLE: dict[str, Any] = {
    "id": "1774000000000-0",
    "order_id": "1774000000000-0",
    "reason": "It is no job.",
    "body": "{}",
}
_MAPPING: dict[str, Any] = {
    "party": "yahoo",
    "symbol": "RELIANCE.NSE",
    "token": "RELIANCE.NS",
    "exchange": None,
    "kind": "equity",
    "lot_size": "1",
    "tick_size": "0.05",
    "updated_by": "user:1",
    "updated_at": _AT,
}
_MAPPINGS_TAKEN = {"added": 1, "changed": 0, "unchanged": 0}
_MISSING_MAPPING: dict[str, Any] = {
    "party": "yahoo",
    "symbol": "TCS.NSE",
    "exchange": "XNSE",
    "first_at": _AT,
}
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
    behind.answer("PUT", "/internal/market-data/configuration", _CONFIGURATION)
    behind.answer("PUT", "/internal/market-data/universe", _UNIVERSE)
    behind.answer("PUT", "/internal/market-data/mappings", _MAPPINGS_TAKEN)
    for name in ("us-equities", "nse"):
        loaded = {**_MAPPINGS_TAKEN, "instruments": 1}
        behind.answer("POST", f"/internal/market-data/mappings/sets/{name}", loaded)
    behind.answer("POST", "/internal/market-data/jobs", {"added": 1}, 202)
    behind.answer("POST", "/internal/market-data/jobs/requeue", {"requeued": 1})
    for path, body in (
        ("feeds", _page(_FEED)),
        ("market-data/providers", {**_page(_PROVIDER), "at": _AT}),
        ("market-data/configuration", _CONFIGURATION),
        ("market-data/universe", _UNIVERSE),
        ("market-data/mappings", _page(_MAPPING)),
        ("market-data/mappings/missing", _page(_MISSING_MAPPING)),
        ("market-data/jobs/undeliverable", _page(_UNDELIVERABLE)),
        ("market-data/quality", _page(_QUALITY)),
        ("market-data/jobs", _page(_JOB)),
        ("market-data/jobs/statistics", {"tiers": [_TIER]}),
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
