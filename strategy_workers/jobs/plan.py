"""From a job to a plan, as the command line makes one from its options."""

from pathlib import Path

from shared.calendars import Calendars, UnknownExchangeError
from shared.models.margin import parse_margin_terms
from shared.trading.paper_terms import parse_paper_terms
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.plan import Plan, Terms, TimeRange
from strategy_workers.jobs.data import DataSource
from strategy_workers.jobs.request import JobOrder
from strategy_workers.library import LIBRARY
from strategy_workers.library.installed import with_installed
from strategy_workers.sandbox.process import Limits
from strategy_workers.sandbox.strategy import sandboxed
from strategy_workers.sdk import Strategy


def plan_of(order: JobOrder, data: DataSource) -> Plan:
    """Fetches the data. Raises BadBacktestError, TooMuchDataError, DataAwayError."""
    asked = order.request
    strategy = strategy_of(order, asked.strategy_version)
    folder = None if order.calendar_folder is None else Path(order.calendar_folder)
    try:
        calendar = Calendars(folder).of(asked.exchange)
    except UnknownExchangeError:
        raise BadBacktestError(f"there is no calendar of the exchange {asked.exchange}") from None
    if asked.data_timeframe is not None:
        files: tuple[Path, ...] = (
            data.candles(
                asked.symbols, asked.data_timeframe, asked.start, asked.end, order.max_rows
            ),
        )
    else:
        files = tuple(data.file(one) for one in asked.files)
    return Plan(
        strategy=strategy,
        parameters=strategy.parse_parameters(asked.parameters),
        timeframe=asked.timeframe,
        source="candles" if asked.source == "candles" else "trades",
        files=files,
        calendar=calendar,
        timerange=TimeRange(asked.start, asked.end),
        terms=Terms(
            capital=asked.capital,
            paper=parse_paper_terms(asked.paper_terms),
            currency=asked.currency,
            exchange=asked.exchange,
            tick_size=asked.tick_size,
            lot_size=asked.lot_size,
            margin=parse_margin_terms(asked.margin_terms),
            borrow_fee_bps=asked.borrow_fee_bps,
            shortable=asked.shortable,
        ),
    )


def strategy_of(order: JobOrder, version: int | None) -> type[Strategy]:
    """Of the library, or uploaded; that one runs in a confined process. Raises BadBacktestError."""
    name = order.request.strategy
    if version is None:
        known = with_installed(LIBRARY).find(name)
        if known is not None:
            return known
    for one in order.uploaded:
        if one.version == version:
            limits = Limits(order.hook_timeout_s, order.memory_mib)
            return sandboxed(one.manifest, one.files, limits)
    raise BadBacktestError(f"there is no strategy {name} any more")
