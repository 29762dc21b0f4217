import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.fills import paper_terms
from cli.commands.options import Json
from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    from strategy_workers.backtests.outcome import Progress
    from strategy_workers.backtests.plan import Plan

_RESULT = "backtest.json"
_MOST = Decimal(10) ** 12


def backtesting(
    strategy: Annotated[str, typer.Option(help="Name in the strategy library.")],
    trades: Annotated[
        list[Path] | None,
        typer.Option(help="CSV of trades, gzipped or not; several are merged by time."),
    ] = None,
    candles: Annotated[
        list[Path] | None, typer.Option(help="CSV or Parquet of candles; repeatable.")
    ] = None,
    timeframe: Annotated[str, typer.Option(help="Candles that the strategy decides on.")] = "1m",
    timerange: Annotated[
        str | None,
        typer.Option(help="Days in UTC, both included: 20130101-20131231, 20130101-, -20131231."),
    ] = None,
    capital: Annotated[str, typer.Option(help="Paper money of the account.")] = "100000",
    fee_bps: Annotated[
        str | None, typer.Option(help="Fee: 1/10,000 of value; 1 unless a fee is given.")
    ] = None,
    slippage_bps: Annotated[
        str | None, typer.Option(help="Slippage: 1/10,000 of price; 1 unless one is given.")
    ] = None,
    fee: Annotated[
        str | None,
        typer.Option(help='Commission model as JSON: {"model": "per_order", "amount": "1"}.'),
    ] = None,
    slippage: Annotated[
        str | None, typer.Option(help='Slippage model as JSON: {"model": "ticks", "ticks": 1}.')
    ] = None,
    fill_model: Annotated[
        Path | None, typer.Option(help="JSON file of all paper terms, as accounts have them.")
    ] = None,
    exchange: Annotated[
        str, typer.Option(help="Whose sessions the candles follow: a MIC, or 24/7.")
    ] = "XNYS",
    tick_size: Annotated[str, typer.Option(help="Least step of a price.")] = "0.01",
    lot_size: Annotated[str, typer.Option(help="Least step of a quantity.")] = "1",
    param: Annotated[
        list[str] | None, typer.Option(help="Strategy parameter as name=value; repeatable.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help=f"Folder to write {_RESULT} into, with all there is.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Run a strategy over past trades or candles, without any server.

    The same class, the same order books and the same fills as on the platform.
    """
    amounts = {
        "capital": _amount("--capital", capital, above_zero=True),
        "tick_size": _amount("--tick-size", tick_size, above_zero=True),
        "lot_size": _amount("--lot-size", lot_size, above_zero=True),
    }
    paper = paper_terms(
        fill_model,
        fee,
        slippage,
        _bps("--fee-bps", fee_bps),
        _bps("--slippage-bps", slippage_bps),
    )
    if bool(trades) == bool(candles):
        raise BadInputError("give either --trades or --candles")
    if export is not None and export.exists() and not export.is_dir():
        raise BadInputError(f"--export must be a folder, and {export} is none")
    _log_to_stderr()

    from strategy_workers.backtests.errors import (
        BacktestError,
        BadBacktestError,
        StrategyRaisedError,
    )
    from strategy_workers.backtests.run import run_backtest

    try:
        plan = _plan(
            strategy, trades or [], candles or [], timeframe, timerange, param or [],
            {**amounts, "exchange": exchange, "paper": paper},
        )  # fmt: skip
        with _progress_bar(plan.source) as progress:
            result = run_backtest(plan, progress)
    except BadBacktestError as error:
        raise BadInputError(str(error)) from error
    except StrategyRaisedError as error:
        print(error.traceback, file=sys.stderr)
        raise CliError(str(error)) from error
    except BacktestError as error:
        raise CliError(str(error)) from error
    except KeyboardInterrupt:
        raise CliError("interrupted; nothing was written") from None
    _show(result, export, as_json=as_json)


def _plan(
    strategy: str,
    trades: list[Path],
    candles: list[Path],
    timeframe: str,
    timerange: str | None,
    parameters: list[str],
    terms: dict[str, Any],
) -> "Plan":
    from cli.demo.plan import parse_parameters
    from shared.calendars import Calendars, UnknownExchangeError
    from shared.models.identifiers import TIMEFRAMES
    from strategy_workers.backtests.plan import Plan, Terms, TimeRange, parse_timerange
    from strategy_workers.library import LIBRARY
    from strategy_workers.sdk import InvalidParametersError

    found = LIBRARY.find(strategy)
    if found is None:
        names = ", ".join(one.name for one in LIBRARY.all())
        raise BadInputError(f"there is no strategy {strategy}; there are {names}")
    if timeframe not in TIMEFRAMES:
        raise BadInputError(f"there is no timeframe {timeframe}; there are {' '.join(TIMEFRAMES)}")
    try:
        values = found.parse_parameters(parse_parameters(parameters))
    except InvalidParametersError as error:
        raise BadInputError(str(error)) from error
    chosen = TimeRange() if timerange is None else parse_timerange(timerange)
    for path in (*trades, *candles):
        if not path.is_file():
            raise BadInputError(f"can't read {path}: there is no such file")
    try:
        calendar = Calendars(_calendar_folder()).of(terms["exchange"])
    except UnknownExchangeError:
        raise BadInputError(f"there is no exchange {terms['exchange']}") from None
    return Plan(
        strategy=found,
        parameters=values,
        timeframe=timeframe,
        source="trades" if trades else "candles",
        files=tuple(trades or candles),
        calendar=calendar,
        timerange=chosen,
        terms=Terms(**terms),
    )


def _calendar_folder() -> Path | None:
    folder = os.environ.get("CALENDAR_FOLDER")
    return Path(folder) if folder else None


def _amount(option: str, text: str, *, above_zero: bool = False, most: Decimal = _MOST) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadInputError(f"{option} must be a number, not {text}") from None
    if not amount.is_finite() or amount > most or amount < 0 or (above_zero and not amount):
        least = "above 0" if above_zero else "from 0"
        raise BadInputError(f"{option} must be {least} and at most {most}, not {text}")
    return amount


def _bps(option: str, text: str | None) -> Decimal | None:
    return None if text is None else _amount(option, text, most=Decimal(10_000))


def _log_to_stderr() -> None:
    """What strategies log must not get into the result."""
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


# --- what is shown -----------------------------------------------------------------------------


@contextlib.contextmanager
def _progress_bar(unit: str) -> "Iterator[Progress]":
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    bar = progress.Progress(
        progress.TextColumn("backtesting"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(unit),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(result: Any, export: Path | None, *, as_json: bool) -> None:
    from cli.demo.report import executions_digest
    from strategy_workers.backtests.result import details, execution_rows, summary

    found = summary(result)
    found["executions_digest"] = executions_digest(execution_rows(result.outcome.executions))
    if export is not None:
        _write(export, {**found, **details(result)})
    if as_json:
        print(json.dumps(found))
        return
    gaps = found["gaps"]
    if gaps["count"]:
        print(
            f"tradectl: the data has {gaps['count']} gaps, {gaps['missing']} intervals together;"
            f" the longest from {gaps['longest'][0]['from']} to {gaps['longest'][0]['to']}",
            file=sys.stderr,
        )
    for title, value in _rows(found, len(result.outcome.executions)):
        print(f"{title:<22}{value}")
    if export is not None:
        print(f"{'written to':<22}{export / _RESULT}")


def _write(folder: Path, found: dict[str, Any]) -> None:
    """Whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            try:
                json.dump(found, file)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(0o644)
                os.replace(file.name, folder / _RESULT)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CliError(f"can't write into {folder}: {error.strerror}") from error


def _rows(found: dict[str, Any], executions: int) -> list[tuple[str, str]]:
    metrics = found["metrics"]
    held = ", ".join(f"{qty} {symbol}" for symbol, qty in found["position"].items())
    days = metrics["max_drawdown_duration_s"] / 86_400
    return [
        ("from", found["first"]),
        ("to", found["last"]),
        ("read", f"{found['rows']} {found['settings']['source']}"),
        ("decided on", f"{found['candles']} candles"),
        ("orders", f"{found['orders']} ({found['rejected']} rejected, {found['refused']} refused)"),
        ("executions", str(executions)),
        ("equity", found["equity"]),
        ("position", held or "flat"),
        ("fees", found["fees"]),
        ("total return", _percent(metrics["total_return_fraction"])),
        ("buy and hold", _percent(metrics["buy_and_hold_fraction"])),
        ("annual return", _percent(metrics["annual_return_fraction"])),
        (
            "max drawdown",
            f"{metrics['max_drawdown']} ({metrics['max_drawdown_fraction']:.2%}),"
            f" longest {days:.1f} days",
        ),
        ("Sharpe", _number(metrics["sharpe"])),
        ("Sortino", _number(metrics["sortino"])),
        ("Calmar", _number(metrics["calmar"])),
        ("trades", str(metrics["trades"])),
        ("win rate", _percent(metrics["win_rate"])),
        ("profit factor", _number(metrics["profit_factor"])),
        ("expectancy", "undefined" if metrics["expectancy"] is None else metrics["expectancy"]),
        ("exposure", _percent(metrics["exposure_fraction"])),
        ("executions digest", found["executions_digest"]),
    ]


def _percent(fraction: float | None) -> str:
    return "undefined" if fraction is None else f"{fraction:.2%}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
