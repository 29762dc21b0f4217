"""HTTP edge of candles and last prices."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar, cast

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from redis.asyncio import Redis

from market_data_engine.history.actions import History, Page, StoreBehindError
from market_data_engine.history.schemas import CandleItem, CandlePage, item
from market_data_engine.history.written import WrittenCandles
from market_data_engine.store.store import StoreAwayError
from shared.candles.timeframes import parse_timeframe
from shared.models.identifiers import Symbol, Timeframe
from shared.redis.keys import LAST_PRICES
from shared.service.problems import Problem, not_found

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TimeframeText = Annotated[str, Query(max_length=8)]
Moment = Annotated[AwareDatetime | None, Query()]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,19}$")]


def json_response(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


def history_routes(history: History, redis: Redis) -> APIRouter:
    router = APIRouter(prefix="/internal")
    written = WrittenCandles()

    @router.get("/candles/{symbol:path}/snapshot")
    async def snapshot(symbol: str, timeframe: TimeframeText = "1m") -> Response:
        known = await known_symbol(history, symbol)
        parsed = parsed_timeframe(timeframe)
        return json_response(await answered(history.snapshot(known, parsed)))

    @router.get("/candles/{symbol:path}")
    async def candles(
        symbol: str,
        timeframe: TimeframeText = "1m",
        start: Moment = None,
        end: Moment = None,
        limit: Limit = 500,
        cursor: Cursor = None,
    ) -> Response:
        known = await known_symbol(history, symbol)
        parsed = parsed_timeframe(timeframe)
        page = await wanted_page(history, known, parsed, start, end, limit, cursor)
        items: list[CandleItem | msgspec.Raw] = [*written.of(known, parsed, page.candles)]
        if page.forming is not None:
            items.append(item(page.forming, None))
        return json_response(CandlePage(known, parsed, items, page.next_cursor))

    @router.get("/last-prices")
    async def last_prices() -> dict[str, dict[str, str]]:
        """Decimals as strings, by symbol."""
        prices = cast("dict[bytes, bytes]", await redis.hgetall(LAST_PRICES))
        return {"prices": {name.decode(): price.decode() for name, price in prices.items()}}

    return router


async def known_symbol(history: History, symbol: str) -> Symbol:
    if "\0" in symbol or not await history.knows(symbol):
        raise not_found("instrument")
    return Symbol(symbol)


def parsed_timeframe(text: str) -> Timeframe:
    try:
        return parse_timeframe(text)
    except ValueError as error:
        raise Problem(422, "invalid_timeframe", str(error)) from None


async def wanted_page(
    history: History,
    symbol: Symbol,
    timeframe: Timeframe,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """A range when there is a start or a cursor, else the last ones."""
    if start is not None and end is not None and start >= end:
        raise Problem(422, "invalid_range", "start must be before end.")
    end_ns = None if end is None else _ns(end)
    if cursor is not None:
        return await answered(history.page(symbol, timeframe, int(cursor) + 1, end_ns, limit))
    if start is not None:
        return await answered(history.page(symbol, timeframe, _ns(start), end_ns, limit))
    return await answered(history.last(symbol, timeframe, end_ns, limit))


async def answered(work: Awaitable[T]) -> T:
    try:
        return await work
    except (StoreBehindError, StoreAwayError):
        raise Problem(
            503,
            "temporarily_unavailable",
            "The candle store is away or doesn't keep up. Try again shortly.",
            headers={"Retry-After": "1"},
        ) from None


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
