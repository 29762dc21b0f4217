"""HTTP shapes of imported candles, and of what is stored."""

from datetime import datetime

from pydantic import BaseModel

from shared.models.identifiers import Timeframe


class ImportedSeries(BaseModel):
    symbol: str
    candles: int
    #: Starts of the first and the last one.
    first: datetime
    last: datetime


class ImportedFile(BaseModel):
    timeframe: Timeframe
    candles: int
    items: list[ImportedSeries]


class StoredSeries(BaseModel):
    symbol: str
    timeframe: Timeframe
    candles: int
    first: datetime
    last: datetime
    #: Where its candles come from: replay, synthetic, live, import.
    sources: list[str]


class StoredSeriesList(BaseModel):
    items: list[StoredSeries]
    next_cursor: None = None
