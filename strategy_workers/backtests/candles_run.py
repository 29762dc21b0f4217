"""A backtest from candles. Orders meet each candle along the path of `intrabar.py`.

Most moments are quiet: no order can be touched and there is no news, so only the strategy has to
be asked. Those are worked through in one go (`Deployment.follow`). The rest goes as on the tape:
market phase, events, decision, orders.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from operator import itemgetter

from shared.candles.calendar import HoursSpan
from shared.models.identifiers import Timeframe
from shared.models.market import TimeMark
from strategy_workers.backtests.candle_market import CandleMarket, Moment, index_from, load_market
from strategy_workers.backtests.forming import FormingFromBars
from strategy_workers.backtests.intrabar import PRINTS, path
from strategy_workers.backtests.outcome import Outcome, Progress
from strategy_workers.backtests.plan import Plan
from strategy_workers.backtests.stage import Stage, raising

#: Progress is told so often, and no further than this is looked ahead for what may touch orders.
_QUIET_MOMENTS = 16_384
_LOOK_AHEAD_BARS = 64


def run_candles(plan: Plan, progress: Progress) -> Outcome:
    """Raises BadBacktestError and StrategyRaisedError."""
    return CandlesRun(plan, load_market(plan, plan.timeframes), progress).run()


class CandlesRun:
    def __init__(self, plan: Plan, market: CandleMarket, progress: Progress) -> None:
        self._plan = plan
        self._market = market
        self._progress = progress
        self._stage = Stage(plan, market.symbols)
        deployment = self._stage.deployment
        for forming in deployment.market.forming:
            forming.read_from(
                FormingFromBars(
                    market, plan.calendar, forming.timeframe, lambda: deployment.desk.at_ns
                )
            )
        self._hear_history()
        self._moments: Iterator[Moment] = market.moments()
        #: The next moment, and the next bar, that orders can meet.
        self._moment = 0
        self._bar = 0
        self._bars = len(market.bars)
        self._now_ns = market.bars.start_ns[0]
        self._number = 0

    def run(self) -> Outcome:
        market, stage = self._market, self._stage
        moments, bars = len(market.moment_ends), len(market.bars)
        while self._moment < moments or (self._bar < bars and not self._idle):
            quiet = self._quiet_moments()
            if quiet:
                self._follow(quiet)
            else:
                self._eventful()
            self._progress(self._moment, moments)
        closes = {
            symbol: market.known_closes(symbol, self._plan.timeframe) for symbol in market.symbols
        }
        stage.candles = sum(len(one.close) for one in closes.values())
        stage.end(self._now_ns, self._price_of)
        span = (market.bars.start_ns[0], max(market.bars.end_ns))
        return stage.outcome(bars, span, self._last_price, closes, market.gaps)

    def _hear_history(self) -> None:
        """As a live run begins: the strategy's last candles are known, and nothing decides."""
        view = self._stage.deployment.market
        known = {(s, t): self._market.history(s, t, view.kept) for s, t in view.series}

        def closes(symbol: str, timeframe: Timeframe) -> Iterable[float]:
            before = [candle.close for candle in known[symbol, timeframe]]
            return chain(before, self._market.closes(symbol, timeframe))

        view.read_ahead(closes)
        for candles in known.values():
            for candle in candles:
                view.take(candle)

    @property
    def _idle(self) -> bool:
        account = self._stage.account
        return not (account.works or account.has_news or self._stage.deployment.has_news)

    def _price_of(self, symbol: str) -> float | None:
        return self._market.price_at(symbol, self._now_ns)

    def _last_price(self, symbol: str) -> float | None:
        return self._market.price_at(symbol, self._market.bars.end_ns[-1])

    # --- quiet moments -------------------------------------------------------------------------

    def _quiet_moments(self) -> int:
        """How many moments, from the next one on, are sure to bring nothing but candles."""
        stage, account = self._stage, self._stage.account
        if stage.paused or account.has_news or stage.deployment.has_news:
            return 0
        bars, ends = self._market.bars, self._market.moment_ends
        if not account.works:
            return min(len(ends) - self._moment, _QUIET_MOMENTS)
        if account.at_risk:
            return 0
        touched = self._first_touched()
        until_ns = bars.end_ns[touched] if touched < self._bars else bars.end_ns[-1] + 1
        return bisect_left(ends, min(until_ns, account.next_expiry_ns), self._moment) - self._moment

    def _first_touched(self) -> int:
        """The next bar that may touch a working order, or one before it."""
        bars = self._market.bars
        reach = [self._stage.account.reach(symbol) for symbol in self._market.symbols]
        last = min(self._bar + _LOOK_AHEAD_BARS, self._bars)
        symbol, low, high = bars.symbol, bars.low, bars.high
        for place in range(self._bar, last):
            fresh, falling_to, rising_to = reach[symbol[place]]
            if fresh or low[place] <= falling_to or high[place] >= rising_to:
                return place
        return last

    def _follow(self, moments: int) -> None:
        stage, ends = self._stage, self._market.moment_ends
        raising(stage.deployment.follow, islice(self._moments, moments))
        self._now_ns = stage.deployment.at_ns
        self._moment = bisect_right(ends, self._now_ns, self._moment, self._moment + moments)
        self._bar = index_from(self._market.bars.start_ns, self._now_ns, self._bar)
        stage.send(self._now_ns, self._price_of)

    # --- eventful moments ----------------------------------------------------------------------

    def _eventful(self) -> None:
        """One moment: when the next bar ends, or a candle that the strategy hears."""
        bars, ends, account = self._market.bars, self._market.moment_ends, self._stage.account
        account.begin_moment()
        next_moment_ns = ends[self._moment] if self._moment < len(ends) else None
        if self._bar < self._bars and (
            next_moment_ns is None or bars.end_ns[self._bar] <= next_moment_ns
        ):
            at_ns = bars.end_ns[self._bar]
            self._meet_bars()
        else:
            assert next_moment_ns is not None, "the caller has seen one or the other"
            at_ns = next_moment_ns
        account.expire(at_ns)
        self._now_ns = at_ns
        candles: Moment = ()
        if at_ns == next_moment_ns:
            candles = next(self._moments)
            self._moment += 1
        self._decide(at_ns, candles)

    def _meet_bars(self) -> None:
        """All bars of the next start."""
        starts_ns, ends_ns = self._market.bars.start_ns, self._market.bars.end_ns
        first, start_ns = self._bar, starts_ns[self._bar]
        after = first + 1
        while after < self._bars and starts_ns[after] == start_ns:
            after += 1
        self._bar = after
        if after == first + 1:
            hours = self._hours(start_ns, ends_ns[first])
            self._stage.account.meet(self._prints(first), hours)
        else:
            hours = self._hours(start_ns, max(ends_ns[first:after]))
            prints = chain.from_iterable(map(self._prints, range(first, after)))
            self._stage.account.meet(sorted(prints, key=itemgetter(0)), hours)

    def _hours(self, start_ns: int, end_ns: int) -> HoursSpan:
        """A candle that reaches into regular hours counts as one of them."""
        calendar = self._plan.calendar
        hours = calendar.hours_at(start_ns)
        while not hours.regular and hours.until_ns < end_ns:
            hours = calendar.hours_at(hours.until_ns)
        return hours

    def _prints(self, place: int) -> Iterator[tuple[int, str, float, float]]:
        bars = self._market.bars
        symbol, size = self._market.symbols[bars.symbol[place]], bars.volume[place] / PRINTS
        for at_ns, price in path(
            bars.start_ns[place],
            bars.end_ns[place],
            bars.open[place],
            bars.high[place],
            bars.low[place],
            bars.close[place],
        ):
            yield at_ns, symbol, price, size

    def _decide(self, at_ns: int, candles: Moment) -> None:
        account, deployment = self._stage.account, self._stage.deployment
        events = account.news()
        if not events and not candles and not deployment.has_news:
            return
        if self._stage.paused:
            return
        self._number += 1
        mark = TimeMark(number=self._number, at_ns=at_ns, phase="strategy", paced=True)
        raising(deployment.decide, str(at_ns), mark, events, candles)
        self._stage.send(at_ns, self._price_of)
