"""Is this a strategy that can be run? It is tried, in the very process that it will run in."""

import random
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.candles.calendar import SessionCalendar
from strategy_workers.backtests.errors import StrategyRaisedError
from strategy_workers.backtests.outcome import Outcome
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.backtests.run import run_backtest
from strategy_workers.sandbox.process import Limits, StrategyProcess
from strategy_workers.sandbox.report import CANDLES, Report
from strategy_workers.sandbox.strategy import sandboxed
from strategy_workers.sdk import InvalidParametersError
from strategy_workers.sdk.errors import ToldError

_SYMBOLS = ("ALPHA", "BETA")
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def validate(files: Mapping[str, bytes], limits: Limits, candles: int = CANDLES) -> Report:
    """Import it, describe it, run it over made-up candles, twice. Its faults are in the report."""
    report = Report()
    process = StrategyProcess(limits)
    try:
        manifest = process.load(dict(files))
    except ToldError as error:
        report.note("import", False, str(error))
        return report
    finally:
        process.end()
    report.note("import", True, f"It was read, and holds the strategy {manifest.name}.")
    try:
        strategy = sandboxed(manifest, files, limits)
        parameters = strategy.parse_parameters({})
    except (ValueError, TypeError, ArithmeticError, InvalidParametersError) as error:
        report.note("parameters", False, f"Its parameters can't be used: {error}.")
        return report
    report.manifest = manifest
    report.note("parameters", True, f"Its parameters, {len(parameters)}, have sound defaults.")
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            strategy=strategy,
            parameters=parameters,
            timeframe="1m",
            source="candles",
            files=tuple(_write_markets(Path(folder), candles)),
            calendar=SessionCalendar.continuous(),
            terms=Terms(exchange="24/7"),
        )
        _dry_run(plan, candles, report)
    return report


def _dry_run(plan: Plan, candles: int, report: Report) -> None:
    outcomes: list[Outcome] = []
    for _ in range(2):
        try:
            outcomes.append(run_backtest(plan).outcome)
        except StrategyRaisedError as error:
            report.note("dry run", False, str(error))
            return
    first, second = outcomes
    report.note(
        "dry run",
        True,
        f"Over {candles:,} minutes of {len(_SYMBOLS)} made-up markets it sent {first.orders:,} "
        f"orders; {first.rejected + first.refused:,} of them could not be taken, and "
        f"{len(first.executions):,} executions followed.",
    )
    if first.executions == second.executions and first.orders == second.orders:
        report.note("repeatable", True, "Two runs over the same candles decided the same.")
    else:
        said = "Two runs over the same candles differ: it depends on chance or the clock."
        report.note("repeatable", False, said)


def _write_markets(folder: Path, candles: int) -> list[Path]:
    paths = []
    for seed, symbol in enumerate(_SYMBOLS):
        numbers = random.Random(seed)  # noqa: S311 - prices, and the same ones each time
        last, lines = 100.0, ["timestamp,open,high,low,close,volume"]
        for minute in range(candles):
            trend = 0.02 if (minute // 200 + seed) % 2 else -0.02
            prices = [last := max(1.0, last + trend + numbers.gauss(0, 0.1)) for _ in range(4)]
            at = _BEGIN + timedelta(minutes=minute)
            columns = (prices[0], max(prices), min(prices), prices[-1])
            told = ",".join(f"{price:.2f}" for price in columns)
            lines.append(f"{at.isoformat().replace('+00:00', 'Z')},{told},{100 + minute % 7}")
        path = folder / f"{symbol}.csv"
        path.write_text("\n".join(lines) + "\n")
        paths.append(path)
    return paths
