"""Channels around the price: Donchian's and Keltner's."""

from shared.indicators.atr import ATR
from shared.indicators.checks import refuse_unless_finite
from shared.indicators.ema import EMA
from shared.indicators.extremes import Highest, Lowest
from shared.indicators.fields import Part
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import multiple, period
from shared.models.market import Candle

Three = tuple[float, float, float]


class Donchian(CandleIndicator[Three]):
    """The highest high and the lowest low of the latest `period` candles, and their middle.

    The present candle counts. Rule of Richard Donchian (1960); as TradingView's DC.
    """

    __slots__ = ("_high", "_low", "period")
    columns = ("high", "low")
    parameters = (period(20),)
    outputs = ("upper", "middle", "lower")
    fields = {"high": Part(), "low": Part()}  # noqa: RUF012
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._high, self._low = Highest(period), Lowest(period)

    @property
    def warm_up(self) -> int:
        return self.period

    @property
    def memory(self) -> int:
        return self.period

    def peek(self, candle: Candle, /) -> Three | None:
        refuse_unless_finite(candle)
        return _channel(self._high.peek(candle.high), self._low.peek(candle.low))

    def update(self, candle: Candle, /) -> Three | None:
        refuse_unless_finite(candle)
        self.value = result = _channel(self._high.update(candle.high), self._low.update(candle.low))
        return result


def _channel(high: float | None, low: float | None) -> Three | None:
    return None if high is None or low is None else (high, (high + low) / 2, low)


class Keltner(CandleIndicator[Three]):
    """An exponential average of the close, and `multiple` average true ranges around it.

    Chester Keltner's channel (1960) as Linda Raschke changed it: exponential average, Wilder's
    true range.
    """

    __slots__ = ("_average", "_range", "atr_period", "multiple", "period")
    parameters = (
        period(20),
        period(10, 1, "atr_period", "Candles in the average true range"),
        multiple("multiple", 2.0, "Distance of a line from the average, in true ranges"),
    )
    outputs = ("upper", "middle", "lower")
    fields = {"average": Part(), "range": Part()}  # noqa: RUF012
    period: int
    atr_period: int
    multiple: float

    def __init__(self, period: int, atr_period: int, multiple: float) -> None:
        super().__init__(period, atr_period, multiple)
        self._average, self._range = EMA(period), ATR(atr_period)

    @property
    def warm_up(self) -> int:
        return max(self.period, self.atr_period + 1)

    def peek(self, candle: Candle, /) -> Three | None:
        refuse_unless_finite(candle)
        return self._lines(self._average.peek(candle.close), self._range.peek(candle))

    def update(self, candle: Candle, /) -> Three | None:
        refuse_unless_finite(candle)
        self.value = result = self._lines(
            self._average.update(candle.close), self._range.update(candle)
        )
        return result

    def _lines(self, middle: float | None, true_range: float | None) -> Three | None:
        if middle is None or true_range is None:
            return None
        width = self.multiple * true_range
        return middle + width, middle, middle - width
