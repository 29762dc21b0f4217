"""Relative strength index."""

from collections.abc import Mapping

from shared.indicators.indicator import (
    Indicator,
    State,
    checked_count,
    checked_number,
    refuse_unless_finite,
)

# Below this TA-Lib takes a sum of mean gain and loss for no movement at all.
_NO_MOVEMENT = 1e-14


class RSI(Indicator):
    """100 x mean gain / (mean gain + mean loss), from 0 to 100; 0 when nothing moved.

    Wilder's means (New Concepts in Technical Trading Systems, 1978): the first is the plain mean
    of `period` changes, then each change counts 1 / period. Old rounding fades with them.
    """

    __slots__ = ("_changes", "_gain", "_last", "_loss")

    def __init__(self, period: int) -> None:
        super().__init__(period, least=2)
        self._last: float | None = None
        #: Changes seen so far, up to `period`.
        self._changes = 0
        #: Sums of the changes while warming up, means from then on.
        self._gain = 0.0
        self._loss = 0.0

    @property
    def warm_up(self) -> int:
        return self.period + 1

    def peek(self, value: float) -> float | None:
        refuse_unless_finite(value)
        if self._last is None or self._changes + 1 < self.period:
            return None
        gain, loss = self._means_with(value - self._last)
        movement = gain + loss
        return 100.0 * (gain / movement) if movement >= _NO_MOVEMENT else 0.0

    def update(self, value: float) -> float | None:
        self.value = self.peek(value)
        if self._last is not None:
            self._gain, self._loss = self._means_with(value - self._last)
            self._changes = min(self._changes + 1, self.period)
        self._last = float(value)
        return self.value

    def _means_with(self, change: float) -> tuple[float, float]:
        gain, loss = self._gain, self._loss
        warm = self._changes == self.period
        if warm:
            gain *= self.period - 1
            loss *= self.period - 1
        if change < 0:
            loss -= change
        else:
            gain += change
        if warm or self._changes + 1 == self.period:
            gain /= self.period
            loss /= self.period
        return gain, loss

    def state(self) -> State:
        return {
            **self._begin_state(),
            "last": self._last,
            "changes": self._changes,
            "gain": self._gain,
            "loss": self._loss,
            "value": self.value,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        self._checked_state(state, "last", "changes", "gain", "loss", "value")
        last = None if state["last"] is None else checked_number("last", state["last"])
        changes = checked_count("changes", state["changes"], self.period)
        gain, loss = checked_number("gain", state["gain"]), checked_number("loss", state["loss"])
        value = None if state["value"] is None else checked_number("value", state["value"])
        if min(gain, loss) < 0:
            raise ValueError(f"gain {gain} and loss {loss} can't be negative")
        if (value is not None) != (changes == self.period) or (last is None and changes):
            raise ValueError(f"value {value} and last {last} don't fit {changes} changes")
        self._last, self._changes, self._gain, self._loss = last, changes, gain, loss
        self.value = value
