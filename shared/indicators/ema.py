"""Exponential moving average."""

from collections.abc import Mapping
from typing import Any

from shared.indicators.checks import refuse_value
from shared.indicators.fields import Count, Number
from shared.indicators.indicator import ValueIndicator
from shared.indicators.parameters import period


class EMA(ValueIndicator[float]):
    """Each value moves the average by 2 / (period + 1) of its distance.

    It starts from the mean of the first `period` values, as TA-Lib's does. Old rounding fades
    as old values do, so it does not add up.
    """

    __slots__ = ("_count", "_total", "period", "weight")
    parameters = (period(30),)
    fields = {"count": Count(), "total": Number()}  # noqa: RUF012
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self.weight = 2.0 / (period + 1)
        #: Of the values before the first result.
        self._count = 0
        self._total = 0.0

    @property
    def warm_up(self) -> int:
        return self.period

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        last: float | None = self.value
        if last is not None:
            return (value - last) * self.weight + last
        full = self._count + 1 == self.period
        return (self._total + value) / self.period if full else None

    def update(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        last: float | None = self.value
        if last is not None:
            self.value = last = (value - last) * self.weight + last
            return last
        self.value = last = self.peek(value)
        if last is None:
            self._count += 1
            self._total += value
        return last

    def _check(self, loaded: Mapping[str, Any], value: Any) -> None:
        count, most = loaded["count"], self.period - 1
        if count > most:
            raise ValueError(f"count must be a whole number from 0 to {most}, not {count}")
        if value is not None and count != most:
            raise ValueError(f"a value after {count} of {most} values before it")
