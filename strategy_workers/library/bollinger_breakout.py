"""Bollinger's bands: buys the close that breaks out of them, sells at the mean."""

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import BollingerBands, Candle, DecimalParameter, IntParameter


class BollingerBreakout(Invested):
    name = "bollinger_breakout"
    title = "Bollinger breakout"
    description = (
        "Buys when a close rises above the upper band, and sells all when one falls below the "
        "middle of the bands."
    )

    period = IntParameter(default=20, low=2, high=500, help="Candles in the mean")
    deviations = DecimalParameter(
        default=2, low="0.1", high=10, help="Distance of the bands in standard deviations"
    )

    def on_start(self) -> None:
        self.warmup = self.period + 1
        self.bands = self.indicator(BollingerBands, self.period, float(self.deviations))

    def on_candle(self, candle: Candle) -> None:
        symbol, close = candle.symbol, candle.close
        bands, before = self.bands[symbol], self.bands.previous(symbol)
        if bands is None:
            return
        upper, middle, _ = bands
        if self.is_in(symbol):
            if close < middle:
                self.leave(symbol, f"close {close:g} below the mean {middle:.4f}")
        elif before is not None and close > upper and self._last(symbol) <= before[0]:
            self.enter(symbol, f"close {close:g} above the upper band {upper:.4f}")

    def _last(self, symbol: str) -> float:
        """The close before the present one."""
        return self.candles(symbol)[-2].close
