"""The day's volume-weighted average price: buys far below it, sells when the price is back."""

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import ATR, VWAP, Candle, DecimalParameter, IntParameter, OrderEvent


class VwapReversion(Invested):
    name = "vwap_reversion"
    title = "VWAP reversion"
    description = (
        "Buys when a close is far below the day's volume-weighted average price, and sells at that "
        "price or at a stop. Once for each time that the price leaves it."
    )

    atr = IntParameter(default=14, low=2, high=500, help="Candles in the average true range")
    distance = DecimalParameter(
        default=3, low="0.1", high=50, help="Average true ranges below the VWAP to buy at"
    )
    stop = DecimalParameter(
        default=3, low="0.1", high=50, help="Average true ranges below the fill to give up at"
    )

    def on_start(self) -> None:
        self.warmup = 5 * self.atr
        self.vwap = self.indicator(VWAP)
        self.true_range = self.indicator(ATR, self.atr)

    def on_candle(self, candle: Candle) -> None:
        symbol, close = candle.symbol, candle.close
        vwap, true_range = self.vwap[symbol], self.true_range[symbol]
        if vwap is None or true_range is None:
            return
        noted = self.note(symbol)
        if close >= vwap:
            noted["tried"] = False
            if self.is_in(symbol):
                self.leave(symbol, f"close {close:g} back at the average {vwap:.4f}")
        elif close <= vwap - float(self.distance) * true_range and not noted.get("tried"):
            noted["range"] = true_range
            noted["tried"] = self.enter(symbol, f"close {close:g} below the average {vwap:.4f}")

    def on_order(self, event: OrderEvent) -> None:
        if event.side == "buy" and event.execution is not None:
            below = float(self.stop) * self.note(event.symbol)["range"]
            self.guard(event.symbol, float(event.execution.price) - below)
