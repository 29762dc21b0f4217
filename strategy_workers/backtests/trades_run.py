"""A backtest from trades: the slices, marks and candles that a replay would put on the tape."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from shared.candles.calendar import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import MarketColumns, QuoteColumns, TradeColumns
from shared.market_files.lines import MarketFileError
from shared.market_files.market import read_market
from shared.market_files.reading import summarize
from shared.models.identifiers import Symbol
from shared.models.market import Candle, Halts, Quotes, TimeMark, Trades
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice, Slicer
from strategy_workers.backtests.attendance import Presence
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.outcome import Closes, Gap, Outcome, Progress
from strategy_workers.backtests.plan import Plan, TimeRange
from strategy_workers.backtests.stage import Stage, raising
from strategy_workers.runtime.slices import Slice as TapeSlice

#: As the market data engine's SLICE_MAX_TRADES is by default: a mark comes after so many.
_SLICE_TRADES = 5000


def run_trades(plan: Plan, progress: Progress) -> Outcome:
    """Raises BadBacktestError for files that can't be read or have nothing in the range."""
    try:
        summaries = [summarize(path) for path in plan.files]
        symbols = tuple(dict.fromkeys(symbol for one in summaries for symbol in one.symbols))
        run = _TradesRun(plan, Stage(plan, symbols))
        total, done = sum(one.rows for one in summaries), 0
        for batch in read_market(plan.files):
            run.add(_within(batch, plan.timerange))
            done += len(batch)
            progress(done, total)
        return run.finish()
    except MarketFileError as error:
        raise BadBacktestError(str(error).removesuffix(".")) from error
    except OutsideCalendarError as error:
        raise BadBacktestError(f"the trades don't fit to {plan.terms.exchange}: {error}") from error
    except OSError as error:
        raise BadBacktestError(f"can't read {error.filename}: {error.strerror}") from error


def _within(batch: MarketColumns, timerange: TimeRange) -> MarketColumns:
    if timerange.start_ns <= batch.first_ns and batch.last_ns < timerange.end_ns:
        return batch
    trades, quotes = batch.trades, batch.quotes
    if trades.at_ns:
        part = _rows_within(trades.at_ns, timerange)
        trades = TradeColumns(
            trades.symbols,
            trades.symbol_index[part],
            trades.at_ns[part],
            trades.price[part],
            trades.size[part],
        )
    if quotes is not None:
        part = _rows_within(quotes.at_ns, timerange)
        quotes = QuoteColumns(
            quotes.symbols,
            quotes.symbol_index[part],
            quotes.at_ns[part],
            quotes.bid[part],
            quotes.ask[part],
            quotes.bid_size[part],
            quotes.ask_size[part],
        )
    return MarketColumns(trades, quotes)


def _rows_within(at_ns: list[int], timerange: TimeRange) -> slice:
    return slice(bisect_left(at_ns, timerange.start_ns), bisect_left(at_ns, timerange.end_ns))


class _TradesRun:
    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan = plan
        self._stage = stage
        attendance = plan.attendance
        self._presence = None if attendance is None else Presence(stage, attendance)
        self._candles = RunCandles(dict.fromkeys(stage.symbols, plan.calendar))
        self._slicer = Slicer(_SLICE_TRADES)
        self._number = 0
        self._now_ns: int | None = None
        #: Of the trades.
        self._first_ns: int | None = None
        self._last_ns = 0
        #: Of the last row, of whichever kind.
        self._end_ns = 0
        self._rows = 0
        self._closes = {symbol: Closes(array("q"), array("d")) for symbol in stage.symbols}

    def add(self, batch: MarketColumns) -> None:
        if not len(batch):
            return
        if batch.trades.at_ns:
            if self._first_ns is None:
                self._first_ns = batch.trades.at_ns[0]
            self._last_ns = batch.trades.at_ns[-1]
        self._end_ns = batch.last_ns
        self._rows += len(batch.trades)
        for piece in self._slicer.add(batch):
            self._play(piece)

    def finish(self) -> Outcome:
        if self._first_ns is None:
            raise BadBacktestError(f"there are no trades in {self._plan.timerange}")
        for piece in self._slicer.finish():
            self._play(piece)
        self._pass_time(self._end_ns - self._end_ns % MINUTE_NS + MINUTE_NS)
        assert self._now_ns is not None, "there was a slice"
        self._stage.end(self._now_ns, self._price_of)
        gaps = [
            gap
            for symbol, closes in self._closes.items()
            if self._plan.timeframe != "1w"
            for gap in _missing_sessions(symbol, closes.end_ns, self._plan.calendar)
        ]
        span = (self._first_ns, self._last_ns)
        return self._stage.outcome(self._rows, span, self._price_of, self._closes, gaps)

    def _price_of(self, symbol: str) -> float | None:
        return self._candles.last_prices.get(Symbol(symbol))

    def _play(self, piece: Slice) -> None:
        self._pass_time(self._slicer.boundary_before(piece.first_ns))
        account = self._stage.account
        account.begin_moment()
        for entry in piece.entries():
            if isinstance(entry, Quotes):
                account.take_quotes(entry)
            elif isinstance(entry, Halts):
                account.take_halts(entry)
            elif account.works:
                account.meet(_prints(entry))
        self._decide(piece.mark_ns, self._candles.add(piece))

    def _pass_time(self, until_ns: int) -> None:
        """Marks up to `until_ns` in which there is nothing, but candles end."""
        while self._now_ns is not None and self._now_ns < until_ns:
            at_ns = self._candles.next_end_ns()
            if at_ns is None or at_ns > until_ns:
                return
            self._stage.account.begin_moment()
            self._decide(at_ns, self._candles.advance(at_ns))

    def _decide(self, at_ns: int, completed: Sequence[Candle]) -> None:
        account = self._stage.account
        self._now_ns = at_ns
        self._number += 1
        account.expire(at_ns)
        is_there = self._presence is None or raising(self._presence.decides, at_ns)
        deployment = self._stage.deployment
        tape_slice = TapeSlice()
        tape_slice.add(completed)
        candles = tape_slice.candles(deployment.market.sources)
        events = account.news()
        mark = TimeMark(number=self._number, at_ns=at_ns, phase="strategy", paced=True)
        entry_id = f"{self._number}-2"
        if not events and not candles and not deployment.has_news:
            deployment.pass_mark(entry_id, mark)
            self._leave(at_ns)
            return
        self._note(candles)
        if self._stage.paused:
            return
        if not is_there:
            deployment.pass_mark(entry_id, mark)
            return
        raising(deployment.decide, entry_id, mark, events, candles)
        self._stage.send(at_ns, self._price_of)
        self._leave(at_ns)

    def _leave(self, at_ns: int) -> None:
        if self._presence is not None and self._presence.stops(at_ns):
            self._stage.end(at_ns, self._price_of)

    def _note(self, candles: Sequence[Candle]) -> None:
        for candle in candles:
            if candle.timeframe == self._plan.timeframe:
                self._stage.candles += 1
                closes = self._closes[candle.symbol]
                closes.end_ns.append(candle.end_ns)
                closes.close.append(candle.close)


def _prints(trades: Trades) -> zip[tuple[int, str, float, float]]:
    symbols = [trades.symbols[index] for index in trades.symbol_index]
    return zip(trades.at_ns, symbols, trades.price, trades.size, strict=True)


def _missing_sessions(symbol: str, ends_ns: Sequence[int], calendar: SessionCalendar) -> list[Gap]:
    """Stretches of whole sessions without a candle, between two candles."""
    gaps = []
    for before_ns, after_ns in pairwise(ends_ns):
        missing, opens_ns = 0, calendar.session_at(before_ns - 1).next_open_ns
        first_ns = opens_ns
        while after_ns > (next_ns := calendar.session_at(opens_ns).next_open_ns):
            missing, opens_ns = missing + 1, next_ns
        if missing:
            gaps.append(Gap(symbol, first_ns, opens_ns, missing))
    return gaps
