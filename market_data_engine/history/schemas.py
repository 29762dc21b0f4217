"""HTTP shapes of candles. Encoded by msgspec: pages are long."""

from datetime import UTC, datetime

import msgspec

from market_data_engine.store.stored import Quality, StoredCandle
from shared.models.identifiers import Timeframe
from shared.models.market import Candle


class CandleItem(msgspec.Struct, frozen=True):
    start: datetime
    #: Exclusive.
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int
    #: False for the forming one, which is the last.
    complete: bool
    #: None for the forming one.
    source: str | None
    quality: Quality | None
    #: When it was known here.
    as_of: datetime | None


class CandlePage(msgspec.Struct, frozen=True):
    symbol: str
    timeframe: Timeframe
    #: Written already, where the same ones were asked for before.
    items: list[CandleItem | msgspec.Raw]
    next_cursor: str | None


class CandleSnapshot(msgspec.Struct, frozen=True):
    """The topic's state after its frame `seq`, or later: frames above `seq` bring it up to date."""

    seq: int
    candles: list[Candle]
    forming: Candle | None


def moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)


def item(candle: Candle, stored: StoredCandle | None) -> CandleItem:
    """`stored` None: it is the forming one."""
    return CandleItem(
        moment(candle.start_ns),
        moment(candle.end_ns),
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.vwap,
        candle.trades,
        stored is not None,
        None if stored is None else stored.source,
        None if stored is None else stored.quality,
        None if stored is None else moment(stored.as_of_ns),
    )
