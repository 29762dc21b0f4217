"""What an incremental indicator is, and the checks that all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import isfinite
from typing import Final

#: Enough to go on exactly where it left off; plain numbers and lists, so it goes into JSON.
State = dict[str, int | float | list[float] | None]

MAX_PERIOD: Final = 10_000


class Indicator(ABC):
    """Takes one value after another, oldest first, each in constant time (amortised).

    Results equal TA-Lib's batch functions with their default settings.
    """

    __slots__ = ("period", "value")

    #: Of the first result on: after the latest `update`.
    value: float | None

    def __init__(self, period: int, least: int = 1) -> None:
        self.period = checked_period(period, least)
        self.value = None

    @property
    def ready(self) -> bool:
        return self.value is not None

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """How many values it takes to the first result."""

    @abstractmethod
    def peek(self, value: float) -> float | None:
        """What `update(value)` would return, changing nothing: for a forming candle."""

    @abstractmethod
    def update(self, value: float) -> float | None:
        """The result with `value` added; None while warming up.

        ValueError, and nothing changed, when the value is not a finite number.
        """

    @abstractmethod
    def state(self) -> State: ...

    @abstractmethod
    def restore(self, state: Mapping[str, object]) -> None:
        """Become what gave this state, to the last bit.

        ValueError, and nothing changed, when it is none of this kind and period.
        """

    def _begin_state(self) -> State:
        return {"period": self.period}

    def _checked_state(self, state: Mapping[str, object], *names: str) -> None:
        if set(state) != {"period", *names}:
            raise ValueError(f"a state has period, {', '.join(names)}; got {sorted(state)}")
        if state["period"] != self.period:
            raise ValueError(f"state of period {state['period']} for one of period {self.period}")


def checked_period(period: object, least: int) -> int:
    if isinstance(period, bool) or not isinstance(period, int):
        raise ValueError(f"period must be a whole number, not {period!r}")
    if not least <= period <= MAX_PERIOD:
        raise ValueError(f"period must be from {least} to {MAX_PERIOD}, not {period}")
    return period


def checked_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return float(value)


def checked_count(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 0 to {most}, not {value!r}")
    return value


def refuse_unless_finite(value: float) -> None:
    if not isfinite(value):
        raise ValueError(f"an indicator takes finite numbers, not {value}")
