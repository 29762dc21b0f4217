"""HTTP shapes of indicators."""

from datetime import datetime
from typing import Any

import msgspec


class IndicatorItem(msgspec.Struct, frozen=True):
    name: str
    title: str
    #: JSON schema.
    parameters: dict[str, Any]
    outputs: list[str]
    #: What it reads of a candle.
    inputs: list[str]
    #: Candles to the first value, with the default parameters.
    warm_up: int
    #: Kept up to date candle by candle; the others are calculated over the history.
    incremental: bool


class IndicatorList(msgspec.Struct, frozen=True):
    items: list[IndicatorItem]
    next_cursor: str | None = None


class IndicatorPoint(msgspec.Struct, frozen=True):
    #: Start of the candle.
    at: datetime
    #: Of the first output; None while the indicator warms up.
    value: float | None
    #: Of each output, by its name.
    values: dict[str, float | None]
    complete: bool


class IndicatorPage(msgspec.Struct, frozen=True):
    name: str
    symbol: str
    timeframe: str
    items: list[IndicatorPoint]
    next_cursor: str | None
