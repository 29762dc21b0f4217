"""Checks of numbers that come from outside. All raise ValueError."""

from math import isfinite
from typing import Any, Final, NoReturn

from shared.models.market import Candle

#: Relative difference below which two means of prices are the same but for rounding; TA-Lib's.
ROUNDING: Final = 1e-14


def checked_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return float(value)


def checked_count(name: str, value: object, most: int | None = None) -> int:
    most_text = "up" if most is None else f"to {most}"
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < 0
        or (most is not None and value > most)
    ):
        raise ValueError(f"{name} must be a whole number from 0 {most_text}, not {value!r}")
    return value


# Indicators ask `if value - value:` first, which is true of infinity and of what is no number:
# the cheapest test there is, and it runs at each candle.
def refuse_value(value: float) -> NoReturn:
    raise ValueError(f"an indicator takes finite numbers, not {value}")


def refuse_candle(candle: Any) -> NoReturn:
    raise ValueError(f"an indicator takes candles of finite numbers, not {candle}")


def refuse_unless_finite(candle: Candle) -> None:
    total = candle.high + candle.low + candle.close + candle.volume
    if total - total:
        refuse_candle(candle)
