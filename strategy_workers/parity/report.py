"""A parity report as a document: what `docs/parity.md` describes."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.candles.timeframes import LENGTH_NS
from shared.models.identifiers import Timeframe
from shared.trading.amounts import plain
from shared.trading.paper_terms import parse_paper_terms
from strategy_workers.parity.attribution import Attribution, Cause, Difference, attributed
from strategy_workers.parity.matching import Field, differing, matched
from strategy_workers.parity.rerun import Repetitions
from strategy_workers.parity.rules import Rules, Span
from strategy_workers.parity.run import Fill, RecordedRun

#: That are told one by one; all are counted.
MOST_TOLD = 5000


def parity_report(
    run: RecordedRun,
    made: Repetitions,
    candles: Mapping[str, list[Span]],
    corrected_from: Mapping[str, datetime],
    code_version: str,
) -> dict[str, Any]:
    rules = Rules(
        is_live=run.mode == "live",
        candles=candles,
        corrected_from=corrected_from,
        jitter=_jitter(run),
        code_changed=run.code_version not in (None, code_version),
    )
    found = attributed(run.fills, made.steps, made.within, rules)
    return {
        "verdict": _verdict(found),
        "run_executions": len(run.fills),
        "rerun_executions": len(made.steps[0].fills),
        "equal": found.equal,
        "different": len(found.differences),
        "by_cause": found.by_cause(),
        "steps": [
            {
                "put_back": step.cause,
                "executions": len(step.fills),
                "different": _different(run, step.fills, made.within),
            }
            for step in made.steps
        ],
        "differences": [_told(one) for one in found.differences[:MOST_TOLD]],
        "notes": run.notes,
        "data": "candles" if candles else "files",
        "code_version": {"run": run.code_version, "now": code_version},
    }


def _verdict(found: Attribution) -> str:
    if not found.differences:
        return "equal"
    return "unexplained" if "unexplained" in found.by_cause() else "explained"


def _different(run: RecordedRun, fills: Any, within: timedelta) -> int:
    """Executions that are not the same, or only on one side."""
    match = matched(run.fills, fills, within)
    wrong = [
        one is None or bool(differing(mine, fills[one]))
        for mine, one in zip(run.fills, match.partners, strict=True)
    ]
    return sum(wrong) + len(match.extra)


def _jitter(run: RecordedRun) -> timedelta:
    known = [parse_paper_terms(one.paper_terms).latency_jitter_ms for one in run.terms]
    return timedelta(milliseconds=max(known, default=0))


def spans_of(path: Path, timeframe: Timeframe) -> dict[str, list[Span]]:
    """Of a job's file of candles. One reaches up to where the next of its length begins."""
    length = timedelta(microseconds=LENGTH_NS[timeframe] // 1000)
    spans: dict[str, list[Span]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["timestamp"])
            spans[row["symbol"]].append(
                Span(start, start + length, Decimal(row["low"]), Decimal(row["high"]))
            )
    return spans


# --- as JSON -----------------------------------------------------------------------------------


def _told(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "run": _fill(one.run),
        "rerun": _fill(one.rerun),
        "causes": [
            {"field": field, "cause": cause} for field, cause in sorted(one.causes.items(), key=_by)
        ],
    }


def _by(item: tuple[Field | None, Cause]) -> str:
    return item[0] or ""


def _fill(fill: Fill | None) -> dict[str, Any] | None:
    if fill is None:
        return None
    return {
        "at": fill.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "symbol": fill.symbol,
        "side": fill.side,
        **{name: f"{plain(getattr(fill, name)):f}" for name in ("qty", "price", "fee")},
    }
