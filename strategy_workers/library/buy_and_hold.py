"""Buys once and keeps it: what every other strategy is measured against."""

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import Candle, OrderEvent

_TRIES = 5
_FAILED = ("rejected", "refused", "cancelled", "expired")


class BuyAndHold(Invested):
    name = "buy_and_hold"
    title = "Buy and hold"
    description = "Buys each symbol with its first candle, and never sells."

    def on_candle(self, candle: Candle) -> None:
        noted = self.note(candle.symbol)
        if not noted.get("bought") and noted.get("failed", 0) < _TRIES:
            noted["bought"] = self.enter(candle.symbol, "buy and hold")

    def on_order(self, event: OrderEvent) -> None:
        if event.kind in _FAILED and not self.position(event.symbol):
            noted = self.note(event.symbol)
            noted.update(bought=False, failed=noted.get("failed", 0) + 1)
