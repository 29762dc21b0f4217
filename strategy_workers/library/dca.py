"""Dollar-cost averaging: the same amount of money at regular times, whatever the price."""

from datetime import timedelta
from decimal import Decimal

from strategy_workers.sdk import DecimalParameter, IntParameter, OrderEvent, Strategy

_FAILED = ("rejected", "refused", "cancelled", "expired")


class CostAveraging(Strategy):
    name = "dca"
    title = "Dollar-cost averaging"
    description = (
        "Buys for the same amount every few days, and never sells. What is too little for a lot "
        "is saved for the next time."
    )

    amount = DecimalParameter(
        default=1000, low=1, high=1_000_000, help="Money for each time, shared among the symbols"
    )
    days = IntParameter(default=7, low=1, high=366, help="Days from one time to the next")
    buffer = DecimalParameter(
        default="1.5", low=0, high=10, help="Percent of cash kept for slippage and fees"
    )

    def on_start(self) -> None:
        self.call_every("buy", timedelta(days=self.days))

    def on_timer(self, _name: str) -> None:
        for symbol in self.symbols:
            self._save(symbol, self.amount / len(self.symbols))
            self._buy(symbol)

    def _saved(self, symbol: str) -> Decimal:
        return Decimal(self.state.setdefault("saved", {}).get(symbol, "0"))

    def _save(self, symbol: str, money: Decimal) -> None:
        self.state["saved"] = {
            **self.state.get("saved", {}),
            symbol: str(self._saved(symbol) + money),
        }

    def _buy(self, symbol: str) -> None:
        price = self.last_price(symbol)
        if price is None:
            return
        saved, payable = self._saved(symbol), self.buying_power / (1 + self.buffer / 100)
        qty = self.whole_lots(symbol, min(saved, payable) / price)
        if qty > 0:
            name = self.buy(symbol, qty, reason=f"{saved:.2f} saved, price {price}")
            self._save(symbol, -qty * price)
            self.state.setdefault("spent", {})[name] = str(qty * price)

    def on_order(self, event: OrderEvent) -> None:
        spent = self.state.get("spent", {})
        if event.kind == "filled":
            spent.pop(event.client_order_id, None)
        elif event.kind in _FAILED:
            self._save(event.symbol, Decimal(spent.pop(event.client_order_id, "0")))
