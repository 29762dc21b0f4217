"""Average directional movement index."""

from typing import NamedTuple

from shared.indicators.checks import refuse_unless_finite
from shared.indicators.fields import Count, Number, OptionalNumber
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import period
from shared.models.market import Candle

Three = tuple[float, float, float]


class _Movement(NamedTuple):
    """Wilder's sums, and what is made of them."""

    plus: float
    minus: float
    ranges: float
    plus_di: float
    minus_di: float
    #: The difference of both indicators in percent of their sum; None without movement.
    dx: float | None


class ADX(CandleIndicator[Three]):
    """How directed the movement is, 0 to 100, and the two directional indicators.

    Wilder, New Concepts in Technical Trading Systems (1978), with the sums begun as in TA-Lib:
    of `period` - 1 movements, smoothed from the next one on. Without movement the index stays.
    """

    __slots__ = (
        *("_adx", "_close", "_count", "_high", "_low", "_minus", "_plus", "_ranges"),
        "period",
    )
    parameters = (period(14, least=2),)
    outputs = ("adx", "plus_di", "minus_di")
    fields = {  # noqa: RUF012
        **{name: OptionalNumber() for name in ("high", "low", "close")},
        **{name: Number() for name in ("plus", "minus", "ranges", "adx")},
        "count": Count(),
    }
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._high: float | None = None
        self._low: float | None = None
        self._close: float | None = None
        self._plus = self._minus = self._ranges = 0.0
        #: The sum of what it is the mean of, while warming up.
        self._adx = 0.0
        #: Candles seen, up to `warm_up`.
        self._count = 0

    @property
    def warm_up(self) -> int:
        return 2 * self.period

    def peek(self, candle: Candle, /) -> Three | None:
        movement = self._movement(candle)
        if movement is None or self._count + 1 < self.warm_up:
            return None
        return self._adx_with(movement), movement.plus_di, movement.minus_di

    def update(self, candle: Candle, /) -> Three | None:
        movement = self._movement(candle)
        self._high, self._low, self._close = candle.high, candle.low, candle.close
        if movement is not None:
            self._plus, self._minus, self._ranges = movement[:3]
            self._adx = self._adx_with(movement)
            if self._count + 1 >= self.warm_up:
                self.value = (self._adx, movement.plus_di, movement.minus_di)
        self._count = min(self._count + 1, self.warm_up)
        return self.value  # type: ignore[no-any-return]

    def _movement(self, candle: Candle) -> _Movement | None:
        refuse_unless_finite(candle)
        if self._high is None or self._low is None or self._close is None:
            return None
        up, down = candle.high - self._high, self._low - candle.low
        plus, minus, ranges = self._plus, self._minus, self._ranges
        if self._count >= self.period:
            plus -= plus / self.period
            minus -= minus / self.period
            ranges -= ranges / self.period
        if down > 0.0 and down > up:
            minus += down
        elif up > 0.0 and up > down:
            plus += up
        ranges += max(candle.high, self._close) - min(candle.low, self._close)
        if not ranges:
            return _Movement(plus, minus, ranges, 0.0, 0.0, None)
        plus_di, minus_di = 100.0 * (plus / ranges), 100.0 * (minus / ranges)
        both = plus_di + minus_di
        dx = 100.0 * (abs(minus_di - plus_di) / both) if both else None
        return _Movement(plus, minus, ranges, plus_di, minus_di, dx)

    def _adx_with(self, movement: _Movement) -> float:
        if self._count < self.period:
            return 0.0
        dx, period = movement.dx, self.period
        if self._count >= self.warm_up:
            return self._adx if dx is None else (self._adx * (period - 1) + dx) / period
        total = self._adx + (dx or 0.0)
        return total / period if self._count + 1 == self.warm_up else total
