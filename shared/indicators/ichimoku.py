"""Ichimoku's cloud."""

from collections import deque

from shared.indicators.channels import Donchian
from shared.indicators.checks import refuse_unless_finite
from shared.indicators.fields import Numbers, Part
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import period
from shared.models.market import Candle

Six = tuple[float, float, float, float, float, float]


class Ichimoku(CandleIndicator[Six]):
    """Middles of three ranges, and the cloud.

    `conversion` and `base` are the middles of the short ranges; `leading_a`, the mean of both,
    and `leading_b`, the middle of the long range, are drawn `displacement` candles ahead.
    `cloud_a` and `cloud_b` are the ones that were drawn to this candle. The lagging line is the
    close, drawn back: nothing to calculate. Goichi Hosoda, Ichimoku Kinko Hyo (1969).
    """

    __slots__ = (
        *("_leading_a", "_leading_b", "_long", "_middle", "_short"),
        *("base", "conversion", "displacement", "span"),
    )
    columns = ("high", "low")
    parameters = (
        period(9, 1, "conversion", "Candles in the shortest range"),
        period(26, 1, "base", "Candles in the middle range"),
        period(52, 1, "span", "Candles in the longest range"),
        period(26, 1, "displacement", "How many candles ahead the cloud is drawn"),
    )
    outputs = ("conversion", "base", "leading_a", "leading_b", "cloud_a", "cloud_b")
    fields = {  # noqa: RUF012
        **{name: Part() for name in ("short", "middle", "long")},
        **{name: Numbers() for name in ("leading_a", "leading_b")},
    }
    conversion: int
    base: int
    span: int
    displacement: int

    def __init__(self, conversion: int, base: int, span: int, displacement: int) -> None:
        super().__init__(conversion, base, span, displacement)
        self._short, self._middle = Donchian(conversion), Donchian(base)
        self._long = Donchian(span)
        #: The latest `displacement` of each.
        self._leading_a: deque[float] = deque(maxlen=displacement)
        self._leading_b: deque[float] = deque(maxlen=displacement)

    @property
    def warm_up(self) -> int:
        return max(self.conversion, self.base, self.span) + self.displacement

    @property
    def memory(self) -> int:
        return self.warm_up

    def peek(self, candle: Candle, /) -> Six | None:
        lines = self._lines(
            self._short.peek(candle), self._middle.peek(candle), self._long.peek(candle)
        )
        if lines is None or len(self._leading_a) < self.displacement:
            return None
        return (*lines, self._leading_a[0], self._leading_b[0])

    def update(self, candle: Candle, /) -> Six | None:
        refuse_unless_finite(candle)
        lines = self._lines(
            self._short.update(candle), self._middle.update(candle), self._long.update(candle)
        )
        if lines is None:
            return None
        if len(self._leading_a) == self.displacement:
            self.value = (*lines, self._leading_a[0], self._leading_b[0])
        self._leading_a.append(lines[2])
        self._leading_b.append(lines[3])
        return self.value  # type: ignore[no-any-return]

    @staticmethod
    def _lines(
        conversion: tuple[float, float, float] | None,
        base: tuple[float, float, float] | None,
        span: tuple[float, float, float] | None,
    ) -> tuple[float, float, float, float] | None:
        if conversion is None or base is None or span is None:
            return None
        return conversion[1], base[1], (conversion[1] + base[1]) / 2, span[1]
