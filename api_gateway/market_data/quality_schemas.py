"""Shapes of the quality of candles."""

from datetime import date
from typing import Literal

from pydantic import Field

from api_gateway.values import View

QualityTimeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"]


class QualityPartsView(View):
    """Each from 0 (bad) to 1 (good)."""

    completeness: float
    source: float
    gaps: float
    corrections: float
    staleness: float


class QualityView(View):
    symbol: str = Field(examples=["SPY"])
    timeframe: QualityTimeframe
    #: Of the session, at the exchange.
    day: date
    score: float = Field(
        description="0 to 100: 100 x (0.50 completeness + 0.15 source + 0.15 gaps "
        "+ 0.10 corrections + 0.10 staleness).",
        examples=[99.4],
    )
    parts: QualityPartsView
    #: Intervals of regular hours that are over.
    expected: int
    #: Of these there are candles.
    present: int
    #: Of these it is known that nobody traded.
    quiet: int
    partial: int
    healed: int
    #: Live ones that late prints, cancels or corrections have amended.
    corrected: int
    #: The most intervals in a row of which nothing is known.
    longest_gap: int
    sources: list[str] = Field(examples=[["alpaca", "live"]])
