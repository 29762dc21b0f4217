"""Moving average convergence and divergence: long while the fast momentum leads."""

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import MACD, BooleanParameter, Candle, IntParameter, ParameterError


class MacdTrend(Invested):
    name = "macd_trend"
    title = "MACD trend"
    description = (
        "Buys when the MACD line crosses above its signal line, and sells all when it is below."
    )

    fast = IntParameter(default=12, low=1, high=500, help="Candles in the fast average")
    slow = IntParameter(default=26, low=2, high=1000, help="Candles in the slow average")
    signal = IntParameter(default=9, low=1, high=200, help="Candles in the signal line")
    above_zero = BooleanParameter(
        default=False, help="Buy only while the fast average is above the slow one"
    )

    def check_parameters(self) -> None:
        if self.fast >= self.slow:
            raise ParameterError("fast", f"must be below slow ({self.slow})")

    def on_start(self) -> None:
        self.warmup = 5 * (self.slow + self.signal)
        self.macd = self.indicator(MACD, self.fast, self.slow, self.signal)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        before, now = self.macd.previous(symbol), self.macd[symbol]
        if before is None or now is None:
            return
        line, signal, histogram = now
        lines = f"line at {line:.4f}, signal at {signal:.4f}"
        if histogram < 0:
            self.close(symbol, reason=f"below: {lines}")
        elif before[2] <= 0 < histogram and (line > 0 or not self.above_zero):
            self.enter(symbol, f"crossed above: {lines}")
