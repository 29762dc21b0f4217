"""Two moving averages: long while the fast one is above the slow one, flat otherwise."""

from typing import cast

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import (
    SMA,
    TIMEFRAMES,
    Candle,
    CategoricalParameter,
    IndicatorSet,
    IntParameter,
    ParameterError,
    StrategyError,
    Timeframe,
    crossed_above,
)

_NONE = "none"


class SmaCrossover(Invested):
    name = "sma_crossover"
    title = "Moving-average crossover"
    description = (
        "Buys when the fast average of closes crosses above the slow one, and sells all "
        "when it is below. Long or flat, never short."
    )

    fast = IntParameter(default=10, low=2, high=500, help="Candles in the fast average")
    slow = IntParameter(default=30, low=3, high=1000, help="Candles in the slow average")
    confirmation = CategoricalParameter(
        default=_NONE,
        choices=[_NONE, *TIMEFRAMES],
        help="Buy only while the last close of this larger timeframe is above its average",
    )
    confirmation_period = IntParameter(
        default=50, low=2, high=500, help="Candles in the average of the larger timeframe"
    )

    def check_parameters(self) -> None:
        if self.fast >= self.slow:
            raise ParameterError("fast", f"must be below slow ({self.slow})")

    def more_timeframes(self) -> tuple[Timeframe, ...]:
        return () if self.confirmation == _NONE else (cast("Timeframe", self.confirmation),)

    def on_start(self) -> None:
        self.warmup = self.slow + 1
        self.quick = self.indicator(SMA, self.fast)
        self.calm = self.indicator(SMA, self.slow)
        self.trend: IndicatorSet[float] | None = None
        for larger in self.more_timeframes():
            if TIMEFRAMES.index(larger) <= TIMEFRAMES.index(self.timeframe):
                raise StrategyError(f"the confirmation ({larger}) must be above {self.timeframe}")
            self.warmup = max(self.warmup, self.confirmation_period)
            self.trend = self.indicator(SMA, self.confirmation_period, timeframe=larger)

    def on_candle(self, candle: Candle) -> None:
        if candle.timeframe != self.timeframe:
            return
        symbol = candle.symbol
        quick, calm = self.quick[symbol], self.calm[symbol]
        if quick is None or calm is None:
            return
        if crossed_above(self.quick, self.calm, symbol):
            if self._is_confirmed(symbol):
                self.enter(symbol, f"crossed above: {self._averages(quick, calm)}")
        elif quick < calm:
            self.close(symbol, reason=f"below: {self._averages(quick, calm)}")

    def _averages(self, quick: float, calm: float) -> str:
        return f"average of {self.fast} at {quick:.4f}, of {self.slow} at {calm:.4f}"

    def _is_confirmed(self, symbol: str) -> bool:
        if self.trend is None:
            return True
        average = self.trend[symbol]
        if average is None:
            return False
        return self.candles(symbol, self.trend.timeframe)[-1].close > average
