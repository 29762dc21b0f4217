"""The indicators by name: what they take, and what they give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.candles.calendar import SessionCalendar
from shared.indicators.adx import ADX
from shared.indicators.atr import ATR
from shared.indicators.bollinger import BollingerBands, StandardDeviation
from shared.indicators.cci import CCI
from shared.indicators.channels import Donchian, Keltner
from shared.indicators.ema import EMA
from shared.indicators.extremes import Highest, Lowest
from shared.indicators.ichimoku import Ichimoku
from shared.indicators.indicator import Indicator
from shared.indicators.macd import MACD
from shared.indicators.parameters import parameters_schema
from shared.indicators.roc import ROC
from shared.indicators.rsi import RSI
from shared.indicators.sma import SMA
from shared.indicators.stochastic import Stochastic
from shared.indicators.supertrend import Supertrend
from shared.indicators.volume import MFI, OBV, VWAP
from shared.indicators.wma import WMA


@dataclass(frozen=True, slots=True)
class Entry:
    #: TA-Lib's, where it has the indicator.
    name: str
    title: str
    kind: type[Indicator[Any, Any]]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what one update gives, in order."""
        return self.kind.outputs

    @property
    def takes(self) -> str:
        """`value` (any number of a candle, by default its close) or `candle`."""
        return self.kind.takes

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the parameters."""
        return parameters_schema(self.kind.parameters)

    def create(
        self, params: Mapping[str, object], calendar: SessionCalendar | None = None
    ) -> Indicator[Any, Any]:
        """With parameters as in `schema`; left out, they have their defaults. Else ValueError.

        `calendar` is for what follows sessions; without one these are UTC days.
        """
        return self._new(self._complete(params), calendar)

    def warm_up(self, params: Mapping[str, object]) -> int:
        """How many candles it takes to the first result."""
        return self.create(params).warm_up

    def key(self, params: Mapping[str, object]) -> tuple[int | float, ...]:
        """All parameters in their order: equal for what calculates the same. ValueError."""
        made = self.create(params)
        return tuple(getattr(made, one.name) for one in self.kind.parameters)

    def _complete(self, params: Mapping[str, object]) -> list[object]:
        known = [one.name for one in self.kind.parameters]
        unknown = sorted(set(params) - set(known))
        if unknown:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{self.name} has no parameter {', '.join(unknown)}; {has}")
        return [params.get(one.name, one.default) for one in self.kind.parameters]

    def _new(self, given: list[object], calendar: SessionCalendar | None) -> Indicator[Any, Any]:
        return VWAP(calendar) if self.kind is VWAP else self.kind(*given)


CATALOGUE: Final[Mapping[str, Entry]] = {
    entry.name: entry
    for entry in (
        Entry("SMA", "Simple moving average", SMA),
        Entry("EMA", "Exponential moving average", EMA),
        Entry("WMA", "Weighted moving average", WMA),
        Entry("VWAP", "Volume-weighted average price of the session", VWAP),
        Entry("RSI", "Relative strength index", RSI),
        Entry("MACD", "Moving average convergence and divergence", MACD),
        Entry("BBANDS", "Bollinger bands", BollingerBands),
        Entry("ATR", "Average true range", ATR),
        Entry("STOCH", "Stochastic oscillator", Stochastic),
        Entry("ADX", "Average directional movement index", ADX),
        Entry("CCI", "Commodity channel index", CCI),
        Entry("OBV", "On-balance volume", OBV),
        Entry("DONCHIAN", "Donchian channel", Donchian),
        Entry("KELTNER", "Keltner channel", Keltner),
        Entry("SUPERTREND", "Supertrend", Supertrend),
        Entry("ICHIMOKU", "Ichimoku cloud", Ichimoku),
        Entry("ROC", "Rate of change", ROC),
        Entry("MFI", "Money flow index", MFI),
        Entry("STDDEV", "Standard deviation", StandardDeviation),
        Entry("MAX", "Highest value", Highest),
        Entry("MIN", "Lowest value", Lowest),
    )
}


def find(name: str) -> Entry:
    """By name, in upper or lower case. ValueError for an unknown one."""
    try:
        return CATALOGUE[name.upper()]
    except KeyError:
        raise ValueError(f"unknown indicator {name!r}; known are {', '.join(CATALOGUE)}") from None


def create(
    name: str, params: Mapping[str, object], calendar: SessionCalendar | None = None
) -> Indicator[Any, Any]:
    """ValueError for an unknown name, and for parameters that its schema does not allow."""
    return find(name).create(params, calendar)


def warm_up(name: str, params: Mapping[str, object]) -> int:
    """How many candles the indicator takes to its first result."""
    return find(name).warm_up(params)
