"""Two symbols that go together: buys the one that has fallen behind."""

from collections.abc import Sequence
from math import log, sqrt

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import (
    Candle,
    DecimalParameter,
    IntParameter,
    ParameterError,
    StrategyError,
)


class Pairs(Invested):
    name = "pairs"
    title = "Pairs, long side"
    description = (
        "Buys that one of two symbols that is unusually cheap against the other, and sells it when "
        "their ratio is usual again. The dear one is not sold short."
    )

    period = IntParameter(default=60, low=5, high=2000, help="Candles that say what is usual")
    enter_at = DecimalParameter(
        default=2, low="0.1", high=10, help="Standard deviations of the ratio to buy at"
    )
    exit_at = DecimalParameter(
        default="0.5", low=0, high=10, help="Standard deviations to sell below"
    )

    def check_parameters(self) -> None:
        if self.exit_at >= self.enter_at:
            raise ParameterError("exit_at", f"must be below enter_at ({self.enter_at})")

    def on_start(self) -> None:
        if len(self.symbols) != 2:
            raise StrategyError(f"pairs needs two symbols, not {len(self.symbols)}")
        self.warmup = self.period

    def on_moment(self, candles: Sequence[Candle]) -> None:
        if len(candles) != 2:
            return  # only one of them has a price of this moment
        first, second = self.symbols
        score = self._score(first, second)
        if score is None:
            return
        for symbol, cheapness in ((first, -score), (second, score)):
            reason = f"{cheapness:.2f} standard deviations cheap"
            if self.position(symbol) > 0:
                if cheapness <= self.exit_at:
                    self.leave(symbol, reason)
            elif cheapness >= self.enter_at:
                self.enter(symbol, reason)

    def _score(self, first: str, second: str) -> float | None:
        """Of the logarithm of their ratio, among those of the last moments with both prices; how
        many standard deviations it is above their mean."""
        closes = {one.start_ns: one.close for one in self.candles(second)}
        ratios = [
            log(one.close / closes[one.start_ns])
            for one in self.candles(first)
            if one.start_ns in closes
        ]
        if len(ratios) < self.period // 2:
            return None
        mean = sum(ratios) / len(ratios)
        deviation = sqrt(sum((each - mean) ** 2 for each in ratios) / len(ratios))
        return (ratios[-1] - mean) / deviation if deviation > 0 else None
