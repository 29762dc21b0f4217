"""Moving average convergence and divergence."""

from shared.indicators.checks import refuse_value
from shared.indicators.ema import EMA
from shared.indicators.fields import Count, Part
from shared.indicators.indicator import ValueIndicator
from shared.indicators.parameters import period

Three = tuple[float, float, float]


class MACD(ValueIndicator[Three]):
    """Fast less slow exponential average, the same smoothed, and the difference of both.

    As in TA-Lib both averages have their first value at the same time: the fast one starts
    late. Gerald Appel, The Moving Average Convergence Divergence Trading Method (1985).
    """

    __slots__ = ("_calm", "_count", "_quick", "_smooth", "fast", "signal", "slow")
    parameters = (
        period(12, 1, "fast", "Candles in the fast average; less than in the slow one"),
        period(26, 2, "slow", "Candles in the slow average"),
        period(9, 1, "signal", "Candles in the smoothed line"),
    )
    outputs = ("macd", "signal", "histogram")
    fields = {"count": Count(), "quick": Part(), "calm": Part(), "smooth": Part()}  # noqa: RUF012
    fast: int
    slow: int
    signal: int

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        super().__init__(fast, slow, signal)
        if fast >= slow:
            raise ValueError(f"fast must be less than slow, and {fast} is not less than {slow}")
        #: Values that the fast average has left out.
        self._count = 0
        self._quick, self._calm, self._smooth = EMA(fast), EMA(slow), EMA(signal)

    @property
    def warm_up(self) -> int:
        return self.slow + self.signal - 1

    def peek(self, value: float, /) -> Three | None:
        slow = self._calm.peek(value)
        fast = self._quick.peek(value)
        if fast is None or slow is None:
            return None
        line = fast - slow
        signal = self._smooth.peek(line)
        return None if signal is None else (line, signal, line - signal)

    def update(self, value: float, /) -> Three | None:
        if self.value is None:
            return self._warm_up_with(value)
        if value - value:
            refuse_value(value)
        # The same as three updates, without the calls.
        fast, slow, signal = self._quick, self._calm, self._smooth
        last: float = fast.value
        fast.value = quick = (value - last) * fast.weight + last
        last = slow.value
        slow.value = calm = (value - last) * slow.weight + last
        line = quick - calm
        last = signal.value
        signal.value = last = (line - last) * signal.weight + last
        self.value = result = (line, last, line - last)
        return result

    def _warm_up_with(self, value: float) -> Three | None:
        slow = self._calm.update(value)
        if self._count < self.slow - self.fast:
            self._count += 1
            return None
        fast = self._quick.update(value)
        if fast is None or slow is None:
            return None
        line = fast - slow
        signal = self._smooth.update(line)
        if signal is not None:
            self.value = (line, signal, line - signal)
        return self.value  # type: ignore[no-any-return]
