"""The strongest of several symbols: looked for every few weeks, and only while they rise."""

from collections.abc import Sequence
from datetime import timedelta

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import ROC, Candle, IntParameter


class MomentumRotation(Invested):
    name = "momentum_rotation"
    title = "Momentum rotation"
    description = (
        "Every few days holds those of the symbols that have risen most, in equal parts, and none "
        "that has fallen."
    )

    lookback = IntParameter(default=126, low=2, high=2000, help="Candles to measure the rise over")
    hold = IntParameter(default=1, low=1, high=50, help="Most symbols to hold")
    days = IntParameter(default=30, low=1, high=366, help="Days from one choice to the next")

    @property
    def parts(self) -> int:
        return min(self.hold, len(self.symbols))

    def on_start(self) -> None:
        self.warmup = self.lookback + 1
        self.rise = self.indicator(ROC, self.lookback)
        self.call_every("choose", timedelta(days=self.days))

    def on_timer(self, _name: str) -> None:
        self.state["due"] = True

    def on_moment(self, _candles: Sequence[Candle]) -> None:
        if self.state.get("due"):
            self._choose()
        chosen: list[str] = self.state.get("chosen", [])
        fallen = [s for s in self.symbols if s not in chosen and self.position(s) > 0]
        for symbol in fallen:
            if not self.pending(symbol):
                self.leave(symbol, "not among the strongest")
        if fallen:
            return  # what they bring in pays for the others
        wanted: list[str] = self.state.get("wanted", [])
        self.state["wanted"] = [
            symbol
            for symbol in wanted
            if not (self.is_in(symbol) or self.enter(symbol, "among the strongest"))
        ]

    def _choose(self) -> None:
        rises = {symbol: self.rise[symbol] for symbol in self.symbols}
        known = {symbol: rise for symbol, rise in rises.items() if rise is not None}
        if not known:
            return
        strongest = sorted(known, key=lambda symbol: (-known[symbol], symbol))
        chosen = [symbol for symbol in strongest[: self.hold] if known[symbol] > 0]
        self.state.update(due=False, chosen=chosen, wanted=chosen)
