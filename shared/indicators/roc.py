"""Rate of change."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from shared.indicators.checks import refuse_value
from shared.indicators.fields import Numbers
from shared.indicators.indicator import ValueIndicator
from shared.indicators.parameters import period


class ROC(ValueIndicator[float]):
    """Change since `period` values ago, in percent; 0 where that value was 0."""

    __slots__ = ("_values", "period")
    parameters = (period(10),)
    fields = {"values": Numbers()}  # noqa: RUF012
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._values: deque[float] = deque(maxlen=period)

    @property
    def warm_up(self) -> int:
        return self.period + 1

    @property
    def memory(self) -> int:
        return self.warm_up

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        values = self._values
        if len(values) < self.period:
            return None
        return (value / values[0] - 1.0) * 100.0 if values[0] else 0.0

    def update(self, value: float, /) -> float | None:
        self.value = result = self.peek(value)
        self._values.append(value)
        return result

    def _check(self, loaded: Mapping[str, Any], value: Any) -> None:
        if value is not None and len(loaded["values"]) < self.period:
            raise ValueError(f"a value after {len(loaded['values'])} of {self.period} values")
