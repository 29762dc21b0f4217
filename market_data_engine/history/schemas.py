"""HTTP shapes of candles. Encoded by msgspec: pages are long."""

from datetime import UTC, datetime

import msgspec

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


class CandlePage(msgspec.Struct, frozen=True):
    symbol: str
    timeframe: Timeframe
    items: list[CandleItem]
    next_cursor: str | None


class CandleSnapshot(msgspec.Struct, frozen=True):
    """The topic's state after its frame `seq`, or later: frames above `seq` bring it up to date."""

    seq: int
    candles: list[Candle]
    forming: Candle | None


def moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)


def item(candle: Candle, *, complete: bool) -> CandleItem:
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
        complete,
    )
