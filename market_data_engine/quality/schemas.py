"""HTTP shapes of the quality of candles."""

from datetime import date
from typing import Literal

from pydantic import BaseModel

#: A week is no day.
QualityTimeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"]


class QualityParts(BaseModel):
    """Each from 0 to 1."""

    completeness: float
    source: float
    gaps: float
    corrections: float
    staleness: float


class QualityItem(BaseModel):
    symbol: str
    timeframe: QualityTimeframe
    #: Of the session, at the exchange.
    day: date
    #: 0 to 100.
    score: float
    parts: QualityParts
    #: Intervals of regular hours that are over; of these there are candles; known to be without
    #: trades.
    expected: int
    present: int
    quiet: int
    partial: int
    healed: int
    corrected: int
    #: The most intervals in a row of which nothing is known.
    longest_gap: int
    sources: list[str]


class QualityList(BaseModel):
    items: list[QualityItem]
    next_cursor: str | None
