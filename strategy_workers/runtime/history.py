"""Candles from before a live run's first slice, from the market data engine."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

import httpx
import msgspec
import structlog

from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from strategy_workers.runtime.desk import market_time
from strategy_workers.runtime.market import MarketView, Series

log = structlog.get_logger()

#: What one answer of the engine holds at most.
_PAGE = 10_000


class _Item(msgspec.Struct):
    start: datetime
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int
    complete: bool


class _Page(msgspec.Struct):
    items: list[_Item]


_decoder = msgspec.json.Decoder(_Page)


class History:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def warm_up(self, market: MarketView, until_ns: int, news: Sequence[Candle]) -> None:
        """Feed `market` the last candles before `until_ns` and before those of `news`.

        What can't be had is left out and logged: the strategy's indicators then take longer.
        """
        for indicator in market.indicators:
            indicator.share_no_more()
        before = dict.fromkeys(market.series, until_ns)
        for candle in reversed(news):
            before[candle.symbol, candle.timeframe] = candle.start_ns
        loaded = await asyncio.gather(
            *(self._load(series, before[series], market.kept) for series in market.series)
        )
        for candles in loaded:
            for candle in candles:
                market.take(candle)
        market.warm = True

    async def _load(self, series: Series, before_ns: int, count: int) -> list[Candle]:
        symbol, timeframe = series
        try:
            answer = await self._client.get(
                f"/internal/candles/{quote(symbol, safe='')}",
                params={
                    "timeframe": timeframe,
                    "end": market_time(before_ns).isoformat(),
                    "limit": min(count, _PAGE),
                },
            )
            answer.raise_for_status()
            items = _decoder.decode(answer.content).items
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            log.warning("no_history", symbol=symbol, timeframe=timeframe, error=repr(error))
            return []
        candles = [_candle(symbol, timeframe, item) for item in items if item.complete]
        return [candle for candle in candles if candle.end_ns <= before_ns]


def _candle(symbol: str, timeframe: Timeframe, item: _Item) -> Candle:
    return Candle(
        symbol=Symbol(symbol),
        timeframe=timeframe,
        start_ns=_ns(item.start),
        end_ns=_ns(item.end),
        open=item.open,
        high=item.high,
        low=item.low,
        close=item.close,
        volume=item.volume,
        vwap=item.vwap,
        trades=item.trades,
    )


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000
