"""The indicators by name: what they take, and what they give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.indicators.ema import EMA
from shared.indicators.indicator import MAX_PERIOD, Indicator, checked_period
from shared.indicators.rsi import RSI
from shared.indicators.sma import SMA


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    title: str
    kind: type[SMA] | type[EMA] | type[RSI]
    least_period: int
    #: TA-Lib's.
    default_period: int
    #: The names of what one update gives, in order.
    outputs: tuple[str, ...] = ("value",)

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the parameters."""
        return {
            "type": "object",
            "properties": {
                "period": {
                    "type": "integer",
                    "title": "Period",
                    "description": "Number of candles",
                    "minimum": self.least_period,
                    "maximum": MAX_PERIOD,
                    "default": self.default_period,
                }
            },
            "additionalProperties": False,
        }

    def create(self, params: Mapping[str, object]) -> Indicator:
        """With parameters as in `schema`; left out, they have their defaults. Else ValueError."""
        unknown = sorted(set(params) - {"period"})
        if unknown:
            raise ValueError(f"{self.name} has no parameter {', '.join(unknown)}; it has period")
        period = params.get("period", self.default_period)
        return self.kind(checked_period(period, self.least_period))


CATALOGUE: Final[Mapping[str, Entry]] = {
    entry.name: entry
    for entry in (
        Entry("SMA", "Simple moving average", SMA, least_period=1, default_period=30),
        Entry("EMA", "Exponential moving average", EMA, least_period=1, default_period=30),
        Entry("RSI", "Relative strength index", RSI, least_period=2, default_period=14),
    )
}


def find(name: str) -> Entry:
    """By name, in upper or lower case. ValueError for an unknown one."""
    try:
        return CATALOGUE[name.upper()]
    except KeyError:
        raise ValueError(f"unknown indicator {name!r}; known are {', '.join(CATALOGUE)}") from None


def create(name: str, params: Mapping[str, object]) -> Indicator:
    """ValueError for an unknown name, and for parameters that its schema does not allow."""
    return find(name).create(params)


def warm_up(name: str, params: Mapping[str, object]) -> int:
    """How many values the indicator takes to its first result."""
    return create(name, params).warm_up
