"""Standard deviation, and Bollinger's bands around a mean."""

from math import sqrt

from shared.indicators.checks import refuse_value
from shared.indicators.indicator import Output_co, WindowIndicator
from shared.indicators.parameters import multiple, period


class _Moments(WindowIndicator[Output_co]):
    """Mean and variance of a window.

    Values are counted from a base near them, the mean of the previous block: the square of a
    price has no digits left for a small variance.
    """

    __slots__ = ("_base", "_square_tails", "_squares", "_sum", "_sum_tails")

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self._base: float | None = None
        self._sum = 0.0
        self._squares = 0.0
        #: Of what the window still has of the previous block, the next one last.
        self._sum_tails: list[float] = []
        self._square_tails: list[float] = []

    def _begin_block(self) -> None:
        self._previous = block = self._block
        self._base = base = sum(block) / self.period
        total = squares = 0.0
        totals, squared = [0.0], [0.0]
        for value in block[:0:-1]:
            distance = value - base
            total += distance
            squares += distance * distance
            totals.append(total)
            squared.append(squares)
        self._sum_tails, self._square_tails = totals, squared
        self._block, self._sum, self._squares = [], 0.0, 0.0

    def _with(self, value: float) -> tuple[float, float] | None:
        """Mean and variance, were `value` the next one; None while warming up."""
        if value - value:
            refuse_value(value)
        base = value if self._base is None else self._base
        distance = value - base
        total, squares = self._sum + distance, self._squares + distance * distance
        if self._sum_tails:
            total += self._sum_tails[-1]
            squares += self._square_tails[-1]
        elif len(self._block) + 1 != self.period:
            return None
        mean = total / self.period
        variance = squares / self.period - mean * mean
        return base + mean, max(variance, 0.0)

    def _warm_up_with(self, value: float) -> None:
        """Take in one of the first `period` values."""
        if self._base is None:
            self._base = value
        distance = value - self._base
        self._sum += distance
        self._squares += distance * distance
        self._block.append(value)
        if len(self._block) == self.period:
            self._begin_block()


class StandardDeviation(_Moments[float]):
    """Of the latest `period` values as a whole (not as a sample), times `deviations`."""

    __slots__ = ("deviations",)
    parameters = (period(5, least=2), multiple("deviations", 1.0, "What it is multiplied with"))
    deviations: float

    def __init__(self, period: int, deviations: float) -> None:
        super().__init__(period, deviations)

    def peek(self, value: float, /) -> float | None:
        moments = self._with(value)
        return None if moments is None else sqrt(moments[1]) * self.deviations

    def update(self, value: float, /) -> float | None:
        self.value = result = self.peek(value)
        if not self._sum_tails:
            self._warm_up_with(value)
            return result
        distance = value - self._base  # type: ignore[operator]
        self._sum += distance
        self._squares += distance * distance
        self._block.append(value)
        self._square_tails.pop()
        self._sum_tails.pop()
        if not self._sum_tails:
            self._begin_block()
        return result


class BollingerBands(_Moments[tuple[float, float, float]]):
    """The mean of the latest `period` values, and `deviations` standard deviations around it.

    John Bollinger, Bollinger on Bollinger Bands (2001).
    """

    __slots__ = ("deviations",)
    parameters = (
        period(20, least=2),
        multiple("deviations", 2.0, "Distance of a band from the mean, in standard deviations"),
    )
    outputs = ("upper", "middle", "lower")
    deviations: float

    def __init__(self, period: int, deviations: float) -> None:
        super().__init__(period, deviations)

    def peek(self, value: float, /) -> tuple[float, float, float] | None:
        moments = self._with(value)
        if moments is None:
            return None
        middle, width = moments[0], sqrt(moments[1]) * self.deviations
        return middle + width, middle, middle - width

    def update(self, value: float, /) -> tuple[float, float, float] | None:
        tails = self._sum_tails
        if not tails:
            self.value = result = self.peek(value)
            self._warm_up_with(value)
            return result
        if value - value:
            refuse_value(value)
        # What `peek` does, without its calls.
        period, base = self.period, self._base
        distance = value - base  # type: ignore[operator]
        self._sum = total = self._sum + distance
        self._squares = squares = self._squares + distance * distance
        self._block.append(value)
        mean = (total + tails.pop()) / period
        variance = (squares + self._square_tails.pop()) / period - mean * mean
        width = sqrt(variance) * self.deviations if variance > 0.0 else 0.0
        middle = base + mean  # type: ignore[operator]
        self.value = result = (middle + width, middle, middle - width)
        if not tails:
            self._begin_block()
        return result
