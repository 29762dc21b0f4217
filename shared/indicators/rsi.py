"""Relative strength index."""

from collections.abc import Mapping
from typing import Any

from shared.indicators.checks import refuse_value
from shared.indicators.fields import Count, Number, OptionalNumber
from shared.indicators.indicator import ValueIndicator
from shared.indicators.parameters import period


class RSI(ValueIndicator[float]):
    """100 x mean gain / (mean gain + mean loss), from 0 to 100; 0 when nothing moved.

    Wilder's means (New Concepts in Technical Trading Systems, 1978): the first is the plain mean
    of `period` changes, then each change counts 1 / period. Kept as sums that fade: that both
    lack the same factor doesn't show in their ratio. Old rounding fades with them.
    """

    __slots__ = ("_changes", "_fade", "_gain", "_last", "_loss", "period")
    parameters = (period(14, least=2),)
    fields = {  # noqa: RUF012
        "last": OptionalNumber(),
        "changes": Count(),
        "gain": Number(),
        "loss": Number(),
    }
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._last: float | None = None
        #: Changes seen so far, up to `period`.
        self._changes = 0
        self._fade = (period - 1) / period
        self._gain = 0.0
        self._loss = 0.0

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def peek(self, value: float, /) -> float | None:
        if value - value:
            refuse_value(value)
        if self._last is None or self._changes + 1 < self.period:
            return None
        gain, loss = self._sums_with(value - self._last)
        movement = gain + loss
        return 100.0 * (gain / movement) if movement else 0.0

    def update(self, value: float, /) -> float | None:
        if self.value is None:
            return self._warm_up_with(value)
        if value - value:
            refuse_value(value)
        change = value - self._last  # type: ignore[operator]
        self._last = value
        if change > 0.0:
            self._gain = gain = self._gain * self._fade + change
            self._loss = loss = self._loss * self._fade
        else:
            self._gain = gain = self._gain * self._fade
            self._loss = loss = self._loss * self._fade - change
        movement = gain + loss
        self.value = result = 100.0 * (gain / movement) if movement else 0.0
        return result

    def _warm_up_with(self, value: float) -> float | None:
        self.value = self.peek(value)
        if self._last is not None:
            self._gain, self._loss = self._sums_with(value - self._last)
            self._changes += 1
        self._last = value
        return self.value  # type: ignore[no-any-return]

    def _sums_with(self, change: float) -> tuple[float, float]:
        gain, loss = self._gain, self._loss
        if self._changes == self.period:
            gain *= self._fade
            loss *= self._fade
        return (gain + change, loss) if change > 0.0 else (gain, loss - change)

    def _check(self, loaded: Mapping[str, Any], value: Any) -> None:
        changes, gain, loss = loaded["changes"], loaded["gain"], loaded["loss"]
        if changes > self.period:
            raise ValueError(f"changes are {self.period} at most, not {changes}")
        if min(gain, loss) < 0:
            raise ValueError(f"gain {gain} and loss {loss} can't be negative")
        if (value is not None) != (changes == self.period) or (loaded["last"] is None and changes):
            raise ValueError(f"value {value} and last {loaded['last']} don't fit {changes} changes")
