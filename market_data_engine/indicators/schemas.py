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


class IndicatorList(msgspec.Struct, frozen=True):
    items: list[IndicatorItem]
    next_cursor: str | None = None


class IndicatorPoint(msgspec.Struct, frozen=True):
    #: Start of the candle.
    at: datetime
    #: None while the indicator warms up.
    value: float | None
    complete: bool


class IndicatorPage(msgspec.Struct, frozen=True):
    name: str
    symbol: str
    timeframe: str
    items: list[IndicatorPoint]
    next_cursor: str | None
