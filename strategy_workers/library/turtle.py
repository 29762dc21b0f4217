"""Donchian's channels as the Turtles traded them: units by risk, added to as they win."""

from decimal import Decimal

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import (
    ATR,
    Candle,
    DecimalParameter,
    Donchian,
    IntParameter,
    OrderEvent,
    ParameterError,
)

#: A unit is added each time that the price has risen by this part of N.
_STEP = 0.5
_WORKING = ("accepted", "partially_filled")


class Turtle(Invested):
    name = "turtle"
    title = "Donchian breakout (Turtle)"
    description = (
        "Buys a unit when a close breaks the high of the entry channel, more units as the price "
        "rises, with a stop below all. Sells all below the low of the exit channel."
    )

    entry = IntParameter(default=20, low=2, high=500, help="Candles in the entry channel")
    exit = IntParameter(default=10, low=2, high=500, help="Candles in the exit channel")
    atr = IntParameter(default=20, low=2, high=500, help="Candles in N, the average true range")
    stop = DecimalParameter(default=2, low="0.1", high=20, help="Distance of the stop in N")
    risk = DecimalParameter(
        default=1, low="0.01", high=20, help="Percent of equity that a unit loses at its stop"
    )
    units = IntParameter(default=4, low=1, high=10, help="Most units of a symbol")

    def check_parameters(self) -> None:
        if self.exit > self.entry:
            raise ParameterError("exit", f"must not be above entry ({self.entry})")

    def on_start(self) -> None:
        self.warmup = max(self.entry + 1, 5 * self.atr)
        self.breaks = self.indicator(Donchian, self.entry)
        self.turns = self.indicator(Donchian, self.exit)
        self.true_range = self.indicator(ATR, self.atr)

    def on_candle(self, candle: Candle) -> None:
        symbol, close = candle.symbol, candle.close
        # The present candle is in its channel: what it breaks is the channel before it.
        breaks, turns = self.breaks.previous(symbol), self.turns.previous(symbol)
        n = self.true_range[symbol]
        if breaks is None or turns is None or n is None:
            return
        if self.is_in(symbol):
            if close < turns[2]:
                self.leave(symbol, f"close {close:g} below the low {turns[2]:g}")
            else:
                self._add(symbol, close)
        elif close > breaks[0] and n > 0:
            self.note(symbol).update(n=n, units=0)
            self._buy_unit(symbol, f"close {close:g} above the high {breaks[0]:g}")

    def _add(self, symbol: str, close: float) -> None:
        noted = self.note(symbol)
        if "asked" in noted or noted["units"] >= self.units:
            return
        if close >= noted["last"] + _STEP * noted["n"]:
            self._buy_unit(symbol, f"unit {noted['units'] + 1}: close {close:g}")

    def _buy_unit(self, symbol: str, reason: str) -> None:
        noted = self.note(symbol)
        loss = Decimal(str(noted["n"])) * self.stop
        unit = self.whole_lots(symbol, self.equity * self.risk / 100 / loss)
        qty = min(unit, self.room(symbol))
        if qty > 0:
            noted["asked"] = self.buy(symbol, qty, reason=reason)

    def on_order(self, event: OrderEvent) -> None:
        symbol, noted = event.symbol, self.note(event.symbol)
        if event.client_order_id == noted.get("asked") and event.kind not in _WORKING:
            del noted["asked"]
        if event.execution is None:
            return
        if event.side == "sell":
            if not self.position(symbol):
                noted.clear()
        elif "n" not in noted:
            self.close(symbol, reason="bought after the exit")
        else:
            noted["units"] += event.kind == "filled"
            noted["last"] = float(event.execution.price)
            self.guard(symbol, noted["last"] - float(self.stop) * noted["n"])
