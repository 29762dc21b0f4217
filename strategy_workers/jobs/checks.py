"""What can be said against a backtest before it runs. Reads, and writes nothing."""

from datetime import UTC
from uuid import UUID

from sqlalchemy.orm import Session

from shared.database.tables import InstrumentRow, MarketFileRow
from shared.models.identifiers import TIMEFRAMES, Timeframe
from shared.models.margin import (
    BadMarginTermsError,
    MarginTerms,
    margin_terms_document,
    parse_margin_terms,
)
from shared.service.problems import Problem
from shared.trading.amounts import ZERO
from shared.trading.paper_terms import (
    BadPaperTermsError,
    PaperTerms,
    paper_terms_document,
    parse_paper_terms,
)
from strategy_workers.deployments.actions import complete_parameters
from strategy_workers.jobs import repository
from strategy_workers.jobs.files import JobFile
from strategy_workers.jobs.request import JobRequest
from strategy_workers.jobs.schemas import BacktestRequest, StoredCandles
from strategy_workers.library import Catalogue
from strategy_workers.library.routes import unknown_strategy
from strategy_workers.sdk import Strategy

_ALIKE: tuple[str, ...] = ("exchange", "currency", "tick_size", "lot_size")
_LENDING = ("shortable", "borrow_fee_bps")


def checked_request(
    session: Session, catalogue: Catalogue, asked: BacktestRequest, max_rows: int
) -> JobRequest:
    """Raises Problem."""
    chosen = catalogue.choose(asked.strategy, asked.strategy_version)
    if chosen is None:
        raise unknown_strategy(asked.strategy)
    strategy = chosen.strategy
    parameters = complete_parameters(strategy, asked.parameters)
    if asked.start and asked.end and asked.start > asked.end:
        raise Problem(422, "invalid_range", "The range ends before it begins.")
    terms, margin = _terms(asked), _margin(asked)
    data = asked.data
    files: list[JobFile] = []
    symbols = asked.symbols
    data_timeframe: Timeframe | None = None
    if isinstance(data, StoredCandles):
        if not symbols:
            raise Problem(422, "no_symbols", "Candles of the store need symbols: name them.")
        data_timeframe = data.timeframe or asked.timeframe
        _check_timeframe(strategy, parameters, asked.timeframe, data_timeframe)
    else:
        found = _files(session, asked, max_rows)
        files = [_known(row) for row in found]
        symbols = _symbols_of(found, symbols)
    alike = _ALIKE
    if margin is not None:
        alike += ("shortable",) if asked.borrow_fee_bps is not None else _LENDING
    traded = instruments_alike(session, symbols, alike)
    fee = ZERO if margin is None else traded.borrow_fee_bps
    return JobRequest(
        strategy=asked.strategy,
        parameters=parameters,
        symbols=symbols,
        timeframe=asked.timeframe,
        source=data.source,
        data_timeframe=data_timeframe,
        files=files,
        start=asked.start,
        end=asked.end,
        capital=asked.capital,
        paper_terms=paper_terms_document(terms),
        exchange=traded.exchange,
        currency=traded.currency,
        tick_size=traded.tick_size,
        lot_size=traded.lot_size,
        margin_terms=margin_terms_document(margin),
        borrow_fee_bps=fee if asked.borrow_fee_bps is None else asked.borrow_fee_bps,
        shortable=margin is None or traded.shortable,
        strategy_version=chosen.version,
    )


def _terms(asked: BacktestRequest) -> PaperTerms:
    try:
        return parse_paper_terms(asked.paper_terms)
    except BadPaperTermsError as error:
        raise Problem(
            422, "invalid_paper_terms", f"The paper terms can't be used: {error}."
        ) from error


def _margin(asked: BacktestRequest) -> MarginTerms | None:
    if asked.margin_terms is None and asked.borrow_fee_bps is not None:
        raise Problem(422, "invalid_margin_terms", "A cash account borrows nothing.")
    try:
        return parse_margin_terms(asked.margin_terms)
    except BadMarginTermsError as error:
        raise Problem(
            422, "invalid_margin_terms", f"The margin terms can't be used: {error}."
        ) from error


def _check_timeframe(
    strategy: type[Strategy],
    parameters: dict[str, object],
    timeframe: Timeframe,
    data_timeframe: Timeframe,
) -> None:
    heard = (timeframe, *strategy(strategy.parse_parameters(parameters)).more_timeframes())
    for one in heard:
        if TIMEFRAMES.index(one) < TIMEFRAMES.index(data_timeframe):
            raise Problem(
                422,
                "invalid_timeframe",
                f"The strategy hears {one} candles, which {data_timeframe} ones can't make.",
            )


def _known(row: MarketFileRow) -> JobFile:
    return JobFile(row.id, row.name, row.sha256)


def job_files(session: Session, ids: list[UUID], max_rows: int | None) -> list[JobFile]:
    """With trades among them. Raises Problem."""
    return [_known(row) for row in _market_files(session, ids, max_rows)]


def _market_files(session: Session, ids: list[UUID], max_rows: int | None) -> list[MarketFileRow]:
    if len(set(ids)) < len(ids):
        raise Problem(422, "repeated_file", "Each file may be named once.")
    known = repository.market_files(session, ids)
    for one in ids:
        if one not in known:
            raise Problem(422, "unknown_file", f"There is no market file {one}.")
    files = [known[one] for one in ids]
    if not any(row.kind == "trades" for row in files):
        raise Problem(422, "no_trades", "Quotes make no candles: name a file of trades too.")
    rows = sum(row.rows for row in files)
    if max_rows is not None and rows > max_rows:
        raise Problem(
            422,
            "too_much_data",
            f"The files have {rows} rows; a backtest may read {max_rows}.",
            members={"limit": str(max_rows), "observed": str(rows)},
        )
    return files


def _files(session: Session, asked: BacktestRequest, max_rows: int) -> list[MarketFileRow]:
    assert not isinstance(asked.data, StoredCandles), "the caller has looked"
    files = _market_files(session, asked.data.file_ids, max_rows)
    trades = [row for row in files if row.kind == "trades"]
    starts = min(row.first_at for row in trades).date()
    ends = max(row.last_at for row in trades).astimezone(UTC).date()
    if (asked.start and asked.start > ends) or (asked.end and asked.end < starts):
        raise Problem(
            422, "no_data", f"There are no trades in the range; the files have {starts} to {ends}."
        )
    return files


def _symbols_of(files: list[MarketFileRow], named: list[str]) -> list[str]:
    held = list(dict.fromkeys(symbol for row in files for symbol in row.symbols))
    if named and set(named) != set(held):
        raise Problem(
            422,
            "symbols_differ",
            f"The files have {', '.join(held)}: name all of these, or none.",
        )
    if len(held) > 50:
        raise Problem(422, "too_many_symbols", f"The files have {len(held)} symbols; 50 may be.")
    return named or held


def instruments_alike(
    session: Session, symbols: list[str], alike: tuple[str, ...] = _ALIKE
) -> InstrumentRow:
    """One that stands for all: a backtest knows one of each of `alike`."""
    if len(set(symbols)) < len(symbols):
        raise Problem(422, "repeated_symbol", "Each symbol may be named once.")
    known = repository.instruments(session, symbols)
    for symbol in symbols:
        if symbol not in known:
            raise Problem(422, "unknown_symbol", f"There is no instrument {symbol}.")
    first = known[symbols[0]]
    for symbol in symbols[1:]:
        other = known[symbol]
        for name in alike:
            if getattr(other, name) != getattr(first, name):
                raise Problem(
                    422,
                    "instruments_differ",
                    f"{first.symbol} and {symbol} differ in {name}: test them one by one.",
                )
    return first
