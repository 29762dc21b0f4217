"""The market of a backtest from candles: what orders meet, and what the strategy hears, by time."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from operator import attrgetter
from typing import Any

import polars as pl

from shared.candles.errors import OutsideCalendarError
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle
from strategy_workers.backtests.bars import base_timeframe, folded, with_intervals
from strategy_workers.backtests.candle_files import read_candles
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.outcome import Closes, Gap
from strategy_workers.backtests.plan import Plan

#: Candles that are made ready at once.
_PIECE_ROWS = 8192
_COLUMNS = ("start_ns", "end_ns", "open", "high", "low", "close", "volume", "vwap", "trades")

Moment = tuple[Candle, ...]


@dataclass(frozen=True)
class Bars:
    """Candles as the files have them, of all symbols: by start, then by symbol."""

    symbol: array[int]
    start_ns: array[int]
    end_ns: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[float]
    vwap: array[float]
    trades: array[int]

    def __len__(self) -> int:
        return len(self.start_ns)


class CandleMarket:
    def __init__(
        self,
        symbols: Sequence[str],
        bases: dict[str, pl.DataFrame],
        heard: pl.DataFrame,
        gaps: list[Gap],
        before: pl.DataFrame | None = None,
    ) -> None:
        """`before`: what was heard before the run, in the same form and order as `heard`."""
        self.symbols = tuple(symbols)
        self.bars = _bars(symbols, bases)
        self.gaps = gaps
        self._bases = {symbol: _closes(rows) for symbol, rows in bases.items()}
        #: By end, then small timeframes first, then by symbol.
        self._heard = heard
        self._before = heard.clear() if before is None else before
        #: Ends of the moments at which candles are complete; ascending.
        self.moment_ends = _column("q", heard["end_ns"].unique(maintain_order=True))
        self._kept: list[Moment] | None = None
        self._known: dict[tuple[str, Timeframe], Closes] = {}

    def price_at(self, symbol: str, at_ns: int) -> float | None:
        """The last close known at `at_ns`."""
        closes = self._bases[symbol]
        known = bisect_right(closes.end_ns, at_ns)
        return closes.close[known - 1] if known else None

    def closes(self, symbol: str, timeframe: Timeframe) -> Iterable[float]:
        """Of the candles that the strategy hears."""
        return self.known_closes(symbol, timeframe).close

    def history(self, symbol: str, timeframe: Timeframe, most: int) -> list[Candle]:
        """The last ones that were heard before the run."""
        rows = self._of_series(self._before, symbol, timeframe).tail(most)
        columns = (rows[name].to_list() for name in _COLUMNS)
        return list(map(Candle, repeat(Symbol(symbol)), repeat(timeframe), *columns))

    def known_closes(self, symbol: str, timeframe: Timeframe) -> Closes:
        known = self._known.get((symbol, timeframe))
        if known is None:
            rows = self._of_series(self._heard, symbol, timeframe)
            known = self._known[symbol, timeframe] = _closes(rows)
        return known

    def _of_series(self, rows: pl.DataFrame, symbol: str, timeframe: Timeframe) -> pl.DataFrame:
        number, level = self.symbols.index(symbol), TIMEFRAMES.index(timeframe)
        return rows.filter((pl.col("symbol") == number) & (pl.col("level") == level))

    def keep_moments(self) -> None:
        """Make all moments ready, for one run after another; some 200 bytes a candle."""
        self._kept = list(self.moments())

    def moments(self) -> Iterator[Moment]:
        """The candles that are complete at each moment, in the tape's order."""
        if self._kept is not None:
            return iter(self._kept)
        if self._heard["end_ns"].is_unique().all():
            return zip(chain.from_iterable(self._pieces()))
        candles = chain.from_iterable(self._pieces())
        return (tuple(group) for _, group in groupby(candles, attrgetter("end_ns")))

    def _pieces(self) -> Iterator[Iterable[Candle]]:
        heard, symbols = self._heard, [Symbol(symbol) for symbol in self.symbols]
        single = heard.select(pl.struct("symbol", "level").n_unique()).item() == 1
        for piece in heard.iter_slices(_PIECE_ROWS):
            columns = [piece[name].to_list() for name in _COLUMNS]
            if single:
                symbol = repeat(symbols[piece["symbol"][0]])
                yield map(Candle, symbol, repeat(TIMEFRAMES[piece["level"][0]]), *columns)
            else:
                names = [symbols[number] for number in piece["symbol"].to_list()]
                levels = [TIMEFRAMES[level] for level in piece["level"].to_list()]
                yield map(Candle, names, levels, *columns)


def load_market(plan: Plan, timeframes: Sequence[Timeframe]) -> CandleMarket:
    """Raises BadBacktestError for files that can't be read, or have nothing in the range."""
    found = read_candles(plan.files)
    ranged = _within(plan, found)
    bases: dict[str, pl.DataFrame] = {}
    heard: list[pl.DataFrame] = []
    gaps: list[Gap] = []
    try:
        for number, (symbol, rows) in enumerate(ranged.items()):
            base = base_timeframe(symbol, rows, plan.timeframe)
            bases[symbol], missing = with_intervals(symbol, rows, base, plan.calendar)
            gaps += missing
            heard += [
                folded(symbol, bases[symbol], base, timeframe, plan.calendar)
                .with_columns(symbol=pl.lit(number), level=pl.lit(TIMEFRAMES.index(timeframe)))
                .select("symbol", "level", *_COLUMNS)
                for timeframe in timeframes
            ]
    except OutsideCalendarError as error:
        raise BadBacktestError(
            f"the candles don't fit to {plan.terms.exchange}: {error}"
        ) from error
    together = heard[0] if len(heard) == 1 else pl.concat(heard)
    together = together.sort("end_ns", "level", "symbol", maintain_order=True)
    before, together = _parted(plan, bases, together)
    if not together.height:
        raise BadBacktestError(f"there is no complete {plan.timeframe} candle in the range")
    start_ns = plan.timerange.start_ns
    own = {symbol: rows.filter(pl.col("start_ns") >= start_ns) for symbol, rows in bases.items()}
    return CandleMarket(
        list(ranged), own, together, [gap for gap in gaps if gap.start_ns >= start_ns], before
    )


def _parted(
    plan: Plan, bases: dict[str, pl.DataFrame], heard: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was heard before the run, and what is heard in it."""
    if plan.history is None:
        return heard.clear(), heard
    # A candle of before may end within the run, but not after the run's first one began.
    inside = pl.concat(rows["start_ns"] for rows in bases.values())
    begin_ns = inside.filter(inside >= plan.timerange.start_ns).min()
    known = pl.col("end_ns") <= begin_ns
    return heard.filter(known), heard.filter(~known)


def _within(plan: Plan, found: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    start_ns, end_ns = plan.timerange.start_ns, plan.timerange.end_ns
    first_ns = start_ns if plan.history is None else plan.history.start_ns
    for symbol, rows in found.items():
        found[symbol] = rows.filter(
            (pl.col("start_ns") >= first_ns) & (pl.col("start_ns") < end_ns)
        )
        if not (found[symbol]["start_ns"] >= start_ns).any():
            first, last = (rows["start_ns"][n] for n in (0, -1))
            days = " to ".join(
                pl.Series([at_ns]).cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%d")[0]
                for at_ns in (first, last)
            )
            raise BadBacktestError(
                f"there are no candles of {symbol} in {plan.timerange}; the files have {days}"
            )
    return found


def _bars(symbols: Sequence[str], bases: dict[str, pl.DataFrame]) -> Bars:
    rows = pl.concat(
        bases[symbol].with_columns(symbol=pl.lit(number)) for number, symbol in enumerate(symbols)
    )
    if len(symbols) > 1:
        rows = rows.sort("start_ns", "symbol", maintain_order=True)
    kinds = ("i", "q", "q", "d", "d", "d", "d", "d", "d", "q")
    names = ("symbol", *_COLUMNS)
    columns = [_column(kind, rows[name]) for kind, name in zip(kinds, names, strict=True)]
    return Bars(*columns)


def _closes(rows: pl.DataFrame) -> Closes:
    return Closes(_column("q", rows["end_ns"]), _column("d", rows["close"]))


def _column(kind: str, values: pl.Series) -> array[Any]:
    """Eight bytes a value, however many there are."""
    column = array(kind)
    for begin in range(0, len(values), _PIECE_ROWS):
        column.extend(values.slice(begin, _PIECE_ROWS).to_list())
    return column


def index_from(times_ns: array[int], at_ns: int, begin: int) -> int:
    """The first place from `begin` on whose time is `at_ns` or later."""
    # Nearly always it is the next one: nothing to search for.
    if begin < len(times_ns) and times_ns[begin] >= at_ns:
        return begin
    return bisect_left(times_ns, at_ns, begin)
