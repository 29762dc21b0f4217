"""From the options of a command to a plan that can be run."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.backtests.fills import Fills, paper_terms
from cli.backtests.lending import CASH_ACCOUNT, Lending, margin_terms
from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    from strategy_workers.backtests.plan import Plan
    from strategy_workers.sdk import Strategy

_MOST = Decimal(10) ** 12
_MOST_BORROW_FEE_BPS = Decimal(10_000)

StrategyName = Annotated[str, typer.Option("--strategy", help="Name in the strategy library.")]
TradeFiles = Annotated[
    list[Path] | None,
    typer.Option(
        help="CSV of trades, gzipped or not; several are merged by time, quotes among them."
    ),
]
CandleFiles = Annotated[
    list[Path] | None, typer.Option(help="CSV or Parquet of candles; repeatable.")
]
Candles = Annotated[str, typer.Option("--timeframe", help="Candles that the strategy decides on.")]
Days = Annotated[
    str | None,
    typer.Option(help="Days in UTC, both included: 20130101-20131231, 20130101-, -20131231."),
]
Capital = Annotated[str, typer.Option(help="Paper money of the account.")]
FeeBps = Annotated[
    str | None, typer.Option(help="Fee: 1/10,000 of value; 1 unless a fee is given.")
]
SlippageBps = Annotated[
    str | None, typer.Option(help="Slippage: 1/10,000 of price; 1 unless one is given.")
]
Fee = Annotated[
    str | None,
    typer.Option(help='Commission model as JSON: {"model": "per_order", "amount": "1"}.'),
]
Slippage = Annotated[
    str | None, typer.Option(help='Slippage model as JSON: {"model": "ticks", "ticks": 1}.')
]
FillModel = Annotated[
    Path | None, typer.Option(help="JSON file of all paper terms, as accounts have them.")
]
Margin = Annotated[
    bool, typer.Option("--margin", help="A margin account: it borrows, and sells short.")
]
MarginTerms = Annotated[
    str | None,
    typer.Option(help='Its terms as JSON: {"initial_percent": "50", "interest_bps": "600"}.'),
]
BorrowFeeBps = Annotated[
    str, typer.Option(help="Fee for borrowed positions: 1/10,000 of value a year.")
]
Exchange = Annotated[str, typer.Option(help="Whose sessions the candles follow: a MIC, or 24/7.")]
TickSize = Annotated[str, typer.Option(help="Least step of a price.")]
LotSize = Annotated[str, typer.Option(help="Least step of a quantity.")]
Parameters = Annotated[
    list[str] | None, typer.Option(help="Strategy parameter as name=value; repeatable.")
]


@dataclass(frozen=True)
class Wanted:
    """The options that say what is run, as they were typed."""

    strategy: str
    trades: Sequence[Path]
    candles: Sequence[Path]
    timeframe: str
    timerange: str | None
    capital: str
    exchange: str
    tick_size: str
    lot_size: str
    fills: Fills
    lending: Lending = CASH_ACCOUNT


def make_plan(wanted: Wanted, parameters: dict[str, Any]) -> "Plan":
    """Raises BadInputError, and BadBacktestError for the time range."""
    from strategy_workers.backtests.plan import Terms, TimeRange, parse_timerange

    terms = Terms(
        capital=_amount("--capital", wanted.capital, above_zero=True),
        paper=paper_terms(wanted.fills),
        tick_size=_amount("--tick-size", wanted.tick_size, above_zero=True),
        lot_size=_amount("--lot-size", wanted.lot_size, above_zero=True),
        exchange=wanted.exchange,
        margin=margin_terms(wanted.lending),
        borrow_fee_bps=_amount(
            "--borrow-fee-bps", wanted.lending.borrow_fee_bps, most=_MOST_BORROW_FEE_BPS
        ),
    )
    if bool(wanted.trades) == bool(wanted.candles):
        raise BadInputError("give either --trades or --candles")
    chosen = TimeRange() if wanted.timerange is None else parse_timerange(wanted.timerange)
    return plan_of(
        wanted.strategy,
        parameters,
        wanted.timeframe,
        tuple(wanted.trades or wanted.candles),
        "trades" if wanted.trades else "candles",
        chosen,
        terms,
    )


def plan_of(
    strategy: str,
    parameters: dict[str, Any],
    timeframe: str,
    files: tuple[Path, ...],
    source: Any,
    timerange: Any,
    terms: Any,
) -> "Plan":
    from shared.calendars import Calendars, UnknownExchangeError
    from shared.models.identifiers import TIMEFRAMES
    from strategy_workers.backtests.plan import Plan
    from strategy_workers.sdk import InvalidParametersError

    found = find_strategy(strategy)
    if timeframe not in TIMEFRAMES:
        raise BadInputError(f"there is no timeframe {timeframe}; there are {' '.join(TIMEFRAMES)}")
    try:
        values = found.parse_parameters(parameters)
    except InvalidParametersError as error:
        raise BadInputError(str(error)) from error
    for path in files:
        if not path.is_file():
            raise BadInputError(f"can't read {path}: there is no such file")
    try:
        calendar = Calendars(_calendar_folder()).of(terms.exchange)
    except UnknownExchangeError:
        raise BadInputError(f"there is no exchange {terms.exchange}") from None
    return Plan(
        strategy=found,
        parameters=values,
        timeframe=timeframe,
        source=source,
        files=files,
        calendar=calendar,
        timerange=timerange,
        terms=terms,
    )


def given_parameters(texts: Sequence[str] | None) -> dict[str, Any]:
    from cli.demo.plan import parse_parameters

    return parse_parameters(texts or [])


def find_strategy(name: str) -> "type[Strategy]":
    from strategy_workers.library import LIBRARY
    from strategy_workers.library.installed import with_installed

    known = with_installed(LIBRARY)
    found = known.find(name)
    if found is None:
        names = ", ".join(one.name for one in known.all())
        raise BadInputError(f"there is no strategy {name}; there are {names}")
    return found


@contextlib.contextmanager
def told_in_a_sentence(unfinished: str) -> Iterator[None]:
    """`unfinished` says what an interruption leaves behind."""
    from strategy_workers.backtests.errors import (
        BacktestError,
        BadBacktestError,
        StrategyRaisedError,
    )

    try:
        yield
    except BadBacktestError as error:
        raise BadInputError(str(error)) from error
    except StrategyRaisedError as error:
        print(error.traceback, file=sys.stderr)
        raise CliError(str(error)) from error
    except BacktestError as error:
        raise CliError(str(error)) from error
    except KeyboardInterrupt:
        raise CliError(f"interrupted; {unfinished}") from None


def log_to_stderr() -> None:
    """What strategies log must not get into the result."""
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


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
