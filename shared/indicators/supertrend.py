"""Supertrend."""

from shared.indicators.atr import ATR
from shared.indicators.checks import refuse_unless_finite
from shared.indicators.fields import OptionalNumber, Part
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import multiple, period
from shared.models.market import Candle

Two = tuple[float, float]


class Supertrend(CandleIndicator[Two]):
    """A line that follows the price at `multiple` average true ranges, and the trend's sign.

    The line is below the price in a rising trend (1), where it never falls, and above it in a
    falling one (-1), where it never rises; a close beyond it turns the trend. Olivier Seban's,
    by the definition of TradingView's `ta.supertrend`, which begins with a falling trend and
    has the sign the other way round.
    """

    __slots__ = ("_close", "_lower", "_range", "_upper", "multiple", "period")
    parameters = (
        period(10),
        multiple("multiple", 3.0, "Distance of the line from the candle's middle, in true ranges"),
    )
    outputs = ("line", "trend")
    fields = {  # noqa: RUF012
        "range": Part(),
        "close": OptionalNumber(),
        "upper": OptionalNumber(),
        "lower": OptionalNumber(),
    }
    period: int
    multiple: float

    def __init__(self, period: int, multiple: float) -> None:
        super().__init__(period, multiple)
        self._range = ATR(period)
        self._close: float | None = None
        self._upper: float | None = None
        self._lower: float | None = None

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def peek(self, candle: Candle, /) -> Two | None:
        refuse_unless_finite(candle)
        true_range = self._range.peek(candle)
        if true_range is None:
            return None
        upper, lower = self._bands(candle, true_range)
        return self._result(candle.close, upper, lower)

    def update(self, candle: Candle, /) -> Two | None:
        refuse_unless_finite(candle)
        true_range = self._range.update(candle)
        if true_range is not None:
            upper, lower = self._bands(candle, true_range)
            self.value = self._result(candle.close, upper, lower)
            self._upper, self._lower = upper, lower
        self._close = candle.close
        return self.value  # type: ignore[no-any-return]

    def _bands(self, candle: Candle, true_range: float) -> tuple[float, float]:
        middle, width = (candle.high + candle.low) / 2, self.multiple * true_range
        upper, lower = middle + width, middle - width
        if self._close is not None and self._upper is not None and self._lower is not None:
            if self._close <= self._upper:
                upper = min(upper, self._upper)
            if self._close >= self._lower:
                lower = max(lower, self._lower)
        return upper, lower

    def _result(self, close: float, upper: float, lower: float) -> Two:
        if self.value is not None and self.value[1] > 0:
            rising = close >= lower
        else:
            rising = self.value is not None and close > upper
        return (lower, 1.0) if rising else (upper, -1.0)
