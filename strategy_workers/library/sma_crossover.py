"""Two moving averages: long while the fast one is above the slow one, flat otherwise."""

from strategy_workers.sdk import (
    SMA,
    Candle,
    DecimalParameter,
    IntParameter,
    ParameterError,
    Strategy,
    crossed_above,
)


class SmaCrossover(Strategy):
    name = "sma_crossover"
    title = "Moving-average crossover"
    description = (
        "Buys when the fast average of closes crosses above the slow one, and sells all "
        "when it is below. Long or flat, never short."
    )

    fast = IntParameter(default=10, low=2, high=500, help="Candles in the fast average")
    slow = IntParameter(default=30, low=3, high=1000, help="Candles in the slow average")
    allocation = DecimalParameter(
        default=95,
        low=1,
        high=100,
        help="Percent of equity to invest, shared equally among the symbols",
    )
    buffer = DecimalParameter(
        default="1.5",
        low=0,
        high=10,
        help="Percent above the last close that the cash must cover, for slippage and fees",
    )

    def check_parameters(self) -> None:
        if self.fast >= self.slow:
            raise ParameterError("fast", f"must be below slow ({self.slow})")

    def on_start(self) -> None:
        self.warmup = self.slow + 1
        self.quick = self.indicator(SMA, self.fast)
        self.calm = self.indicator(SMA, self.slow)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        quick, calm = self.quick[symbol], self.calm[symbol]
        if quick is None or calm is None:
            return
        averages = f"average of {self.fast} at {quick:.4f}, of {self.slow} at {calm:.4f}"
        if crossed_above(self.quick, self.calm, symbol):
            self._enter(symbol, f"crossed above: {averages}")
        elif quick < calm:
            self.close(symbol, reason=f"below: {averages}")

    def _enter(self, symbol: str, reason: str) -> None:
        price = self.last_price(symbol)
        if price is None or self.position(symbol) > 0 or self.pending(symbol) > 0:
            return
        share = self.equity * self.allocation / 100 / len(self.symbols)
        affordable = self.buying_power / (1 + self.buffer / 100)
        qty = self.whole_lots(symbol, min(share, affordable) / price)
        if qty > 0:
            self.buy(symbol, qty, reason=reason)
