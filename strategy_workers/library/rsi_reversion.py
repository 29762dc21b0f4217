"""Wilder's relative strength index: buys weakness, sells the recovery."""

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import RSI, Candle, DecimalParameter, IntParameter, ParameterError


class RsiReversion(Invested):
    name = "rsi_reversion"
    title = "RSI mean reversion"
    description = (
        "Buys when the relative strength index falls below the oversold level, and sells when it "
        "has recovered or the patience is over."
    )

    period = IntParameter(default=14, low=2, high=200, help="Candles in the index")
    oversold = DecimalParameter(default=30, low=1, high=60, help="Buys below this level")
    recovered = DecimalParameter(default=55, low=10, high=99, help="Sells from this level on")
    patience = IntParameter(
        default=20, low=1, high=10_000, help="Sells after so many candles, recovered or not"
    )

    def check_parameters(self) -> None:
        if self.recovered <= self.oversold:
            raise ParameterError("recovered", f"must be above oversold ({self.oversold})")

    def on_start(self) -> None:
        self.warmup = 10 * self.period
        self.strength = self.indicator(RSI, self.period)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        before, strength = self.strength.previous(symbol), self.strength[symbol]
        if before is None or strength is None:
            return
        if self.position(symbol) > 0:
            self._wait(symbol, strength)
        elif before >= self.oversold > strength:
            self.note(symbol)["waited"] = 0
            self.enter(symbol, f"oversold: index at {strength:.2f}")

    def _wait(self, symbol: str, strength: float) -> None:
        noted = self.note(symbol)
        noted["waited"] = noted.get("waited", 0) + 1
        if strength >= self.recovered:
            self.leave(symbol, f"recovered: index at {strength:.2f}")
        elif noted["waited"] >= self.patience:
            self.leave(symbol, f"not recovered in {noted['waited']} candles")
