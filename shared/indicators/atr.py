"""Average true range."""

from shared.indicators.checks import refuse_candle
from shared.indicators.fields import Count, Number, OptionalNumber
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import period
from shared.models.market import Candle


class ATR(CandleIndicator[float]):
    """Wilder's mean of the true range: of what a candle spans together with the close before it.

    The first is the plain mean of `period` ranges, then each counts 1 / period. The first candle
    has no close before it and gives no range. New Concepts in Technical Trading Systems (1978).
    """

    __slots__ = ("_close", "_count", "_total", "period")
    parameters = (period(14),)
    fields = {"close": OptionalNumber(), "count": Count(), "total": Number()}  # noqa: RUF012
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._close: float | None = None
        #: Ranges before the first result, and their sum.
        self._count = 0
        self._total = 0.0

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def peek(self, candle: Candle, /) -> float | None:
        high, low, last = candle.high, candle.low, self._close
        total = high + low + candle.close
        if total - total:
            refuse_candle(candle)
        if last is None:
            return None
        true_range = max(high, last) - min(low, last)
        mean: float | None = self.value
        if mean is not None:
            return mean + (true_range - mean) / self.period
        full = self._count + 1 == self.period
        return (self._total + true_range) / self.period if full else None

    def update(self, candle: Candle, /) -> float | None:
        mean: float | None = self.value
        if mean is None:
            return self._warm_up_with(candle)
        high, low, last, close = candle.high, candle.low, self._close, candle.close
        # So ordered that what is no number goes on into the range.
        true_range = (last if last > high else high) - (last if last < low else low)  # type: ignore[operator]
        total = true_range + close
        if total - total:
            refuse_candle(candle)
        self._close = close
        self.value = mean = mean + (true_range - mean) / self.period
        return mean

    def _warm_up_with(self, candle: Candle) -> float | None:
        self.value = self.peek(candle)
        if self._close is not None and self.value is None:
            self._count += 1
            self._total += max(candle.high, self._close) - min(candle.low, self._close)
        self._close = candle.close
        return self.value
