"""Exponential moving average."""

from collections.abc import Mapping

from shared.indicators.indicator import (
    Indicator,
    State,
    checked_count,
    checked_number,
    refuse_unless_finite,
)


class EMA(Indicator):
    """Each value moves the average by 2 / (period + 1) of its distance.

    It starts from the mean of the first `period` values, as TA-Lib's does. Old rounding fades
    as old values do, so it does not add up.
    """

    __slots__ = ("_count", "_total", "_weight")

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._weight = 2.0 / (period + 1)
        #: Of the values before the first result.
        self._count = 0
        self._total = 0.0

    @property
    def warm_up(self) -> int:
        return self.period

    def peek(self, value: float) -> float | None:
        refuse_unless_finite(value)
        if self.value is not None:
            return (value - self.value) * self._weight + self.value
        if self._count + 1 == self.period:
            return (self._total + value) / self.period
        return None

    def update(self, value: float) -> float | None:
        result = self.peek(value)
        if result is None:
            self._count += 1
            self._total += value
        self.value = result
        return result

    def state(self) -> State:
        return {
            **self._begin_state(),
            "count": self._count,
            "total": self._total,
            "value": self.value,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        self._checked_state(state, "count", "total", "value")
        count = checked_count("count", state["count"], self.period - 1)
        total = checked_number("total", state["total"])
        value = state["value"]
        if value is not None:
            value = checked_number("value", value)
            if count != self.period - 1:
                raise ValueError(f"a value after {count} of {self.period - 1} values before it")
        self._count, self._total, self.value = count, total, value
