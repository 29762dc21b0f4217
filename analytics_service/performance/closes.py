"""Candle closes from the market data engine, page by page."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import msgspec

from shared.candles.timeframes import LENGTH_NS
from shared.metrics.equity_curve import Closes
from shared.models.identifiers import Timeframe
from shared.service.problems import Problem

_PAGE = 10_000
_AT_ONCE = 4
#: A print after a session's close belongs to that session, also over a long weekend.
_AFTER_SESSION_US = 5 * 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class _Candle(msgspec.Struct, frozen=True):
    end: datetime
    close: float
    complete: bool


class _Page(msgspec.Struct, frozen=True):
    items: list[_Candle]
    next_cursor: str | None


_decoder = msgspec.json.Decoder(_Page)


class MarketHistory:
    def __init__(self, market_data: httpx.AsyncClient, max_candles: int) -> None:
        self._market_data = market_data
        self._max_candles = max_candles

    async def closes(
        self, symbols: Iterable[str], timeframe: Timeframe, start_us: int, end_us: int
    ) -> dict[str, Closes]:
        """Closes of completed candles that have a part in the range, for symbols that have any.

        Raises Problem: 422 when they are too many, 503 when the engine doesn't answer.
        """
        # Candles are found by their start, and the first fill lies inside one.
        length_us = LENGTH_NS[timeframe] // 1000
        before_us = length_us + (_AFTER_SESSION_US if timeframe in ("1d", "1w") else 0)
        reading = _Reading(
            self._market_data, timeframe, start_us - before_us, end_us, self._max_candles
        )
        names = sorted(symbols)
        answers = await asyncio.gather(*(reading.read(name) for name in names))
        return {name: closes for name, closes in zip(names, answers, strict=True) if closes}


class _Reading:
    """The pages of one answer, bounded together."""

    def __init__(
        self,
        market_data: httpx.AsyncClient,
        timeframe: Timeframe,
        start_us: int,
        end_us: int,
        room: int,
    ) -> None:
        self._market_data = market_data
        self._parameters = {
            "timeframe": timeframe,
            "start": _text(start_us),
            # The end of a range is exclusive.
            "end": _text(end_us + 1),
            "limit": str(_PAGE),
        }
        self._room = room
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def read(self, symbol: str) -> Closes:
        closes: list[tuple[int, float]] = []
        cursor: str | None = None
        async with self._slots:
            while True:
                page = await self._page(symbol, cursor)
                self._room -= len(page.items)
                if self._room < 0:
                    raise Problem(
                        422,
                        "range_too_long",
                        "There are too many candles in the account's time: ask with a larger"
                        " timeframe.",
                    )
                closes.extend(
                    ((candle.end - _EPOCH) // _US, candle.close)
                    for candle in page.items
                    if candle.complete
                )
                cursor = page.next_cursor
                if cursor is None:
                    return closes

    async def _page(self, symbol: str, cursor: str | None) -> _Page:
        parameters = self._parameters if cursor is None else self._parameters | {"cursor": cursor}
        try:
            response = await self._market_data.get(
                f"/internal/candles/{quote(symbol, safe='')}", params=parameters
            )
            if response.status_code == 404:
                return _Page([], None)  # the engine has never heard of it
            response.raise_for_status()
            return _decoder.decode(response.content)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise Problem(
                503,
                "market_data_unavailable",
                "The market data engine does not answer. Try again shortly.",
                headers={"Retry-After": "1"},
            ) from error


def _text(at_us: int) -> str:
    return (_EPOCH + at_us * _US).isoformat().replace("+00:00", "Z")
