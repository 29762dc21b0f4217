"""A ladder of limit orders below the price: each step down is bought and sold one step higher."""

from decimal import Decimal

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import (
    Candle,
    DecimalParameter,
    IntParameter,
    OrderEvent,
    ParameterError,
)

_WORKING = ("accepted", "partially_filled")


class Grid(Invested):
    name = "grid"
    title = "Grid"
    description = (
        "Rests limit orders to buy at even steps below the price, sells what each has bought one "
        "step higher, and buys it again there. Moves up with the price while nothing is held; "
        "below the lowest step it only waits."
    )

    levels = IntParameter(default=5, low=1, high=50, help="Steps below the price")
    step = DecimalParameter(
        default=1, low="0.01", high=50, help="Height of a step in percent of the first price"
    )

    def check_parameters(self) -> None:
        if self.levels * self.step >= 100:
            raise ParameterError("levels", f"times step must be below 100 ({self.step} a step)")

    def on_candle(self, candle: Candle) -> None:
        symbol, price = candle.symbol, self.last_price(candle.symbol)
        if price is None:
            return
        anchor = self.note(symbol).get("anchor")
        if anchor is None:
            self._build(symbol, price)
        elif not self.position(symbol) and price >= self._price(symbol, -1):
            self.cancel(symbol)
            self._build(symbol, price)

    def _build(self, symbol: str, anchor: Decimal) -> None:
        #: Level of each working order, by its id.
        self.note(symbol).update(anchor=str(anchor), buys={}, sells={})
        money = self.equity * self.allocation / 100 / len(self.symbols) / self.levels
        for level in range(1, self.levels + 1):
            price = self._price(symbol, level)
            self._buy(symbol, level, self.whole_lots(symbol, money / price))

    def _price(self, symbol: str, level: int) -> Decimal:
        anchor = Decimal(self.note(symbol)["anchor"])
        return self.on_tick(symbol, anchor * (1 - level * self.step / 100))

    def _buy(self, symbol: str, level: int, qty: Decimal) -> None:
        if qty > 0:
            price = self._price(symbol, level)
            name = self.buy(symbol, qty, price, reason=f"level {level} at {price}")
            self.note(symbol)["buys"][name] = level

    def _sell(self, symbol: str, level: int, qty: Decimal) -> None:
        price = self._price(symbol, level - 1)
        name = self.sell(symbol, qty, price, reason=f"level {level} back at {price}")
        self.note(symbol)["sells"][name] = level

    def on_order(self, event: OrderEvent) -> None:
        noted, name = self.note(event.symbol), event.client_order_id
        mine = noted["buys"] if event.side == "buy" else noted["sells"]
        level = mine.get(name)
        if event.kind not in _WORKING:
            mine.pop(name, None)
        if level is None or event.execution is None:
            return
        turn = self._sell if event.side == "buy" else self._buy
        turn(event.symbol, level, event.execution.qty)
