"""Stochastic oscillator."""

from shared.indicators.checks import refuse_unless_finite
from shared.indicators.extremes import Highest, Lowest
from shared.indicators.fields import Part
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import period
from shared.indicators.sma import SMA
from shared.models.market import Candle

Two = tuple[float, float]


class Stochastic(CandleIndicator[Two]):
    """Where the close lies in the range of the latest candles, 0 to 100: smoothed, and again.

    0 when there is no range. George Lane, Lane's Stochastics (1984). TA-Lib's STOCH, with
    simple averages.
    """

    __slots__ = ("_high", "_k", "_low", "_smooth", "fast_k", "slow_d", "slow_k")
    parameters = (
        period(14, 1, "fast_k", "Candles in the range"),
        period(3, 1, "slow_k", "Candles in the average that is k"),
        period(3, 1, "slow_d", "Candles in the average of k that is d"),
    )
    outputs = ("k", "d")
    fields = {"high": Part(), "low": Part(), "k": Part(), "smooth": Part()}  # noqa: RUF012
    fast_k: int
    slow_k: int
    slow_d: int

    def __init__(self, fast_k: int, slow_k: int, slow_d: int) -> None:
        super().__init__(fast_k, slow_k, slow_d)
        self._high, self._low = Highest(fast_k), Lowest(fast_k)
        self._k, self._smooth = SMA(slow_k), SMA(slow_d)

    @property
    def warm_up(self) -> int:
        return self.fast_k + self.slow_k + self.slow_d - 2

    @property
    def memory(self) -> int:
        return self.warm_up

    def peek(self, candle: Candle, /) -> Two | None:
        refuse_unless_finite(candle)
        high, low = self._high.peek(candle.high), self._low.peek(candle.low)
        if high is None or low is None:
            return None
        k = self._k.peek(_place(candle.close, high, low))
        d = None if k is None else self._smooth.peek(k)
        return None if k is None or d is None else (k, d)

    def update(self, candle: Candle, /) -> Two | None:
        refuse_unless_finite(candle)
        high, low = self._high.update(candle.high), self._low.update(candle.low)
        if high is None or low is None:
            return None
        k = self._k.update(_place(candle.close, high, low))
        d = None if k is None else self._smooth.update(k)
        if k is not None and d is not None:
            self.value = (k, d)
        return self.value  # type: ignore[no-any-return]


def _place(close: float, high: float, low: float) -> float:
    percent = (high - low) / 100.0
    return (close - low) / percent if percent else 0.0
