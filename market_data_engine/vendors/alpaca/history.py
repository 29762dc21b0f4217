"""Alpaca's history of bars and trades.

https://docs.alpaca.markets/reference/stockbars and /stocktrades
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from market_data_engine.feeds.events import Print
from market_data_engine.feeds.live import FeedLostError
from market_data_engine.metrics import PROVIDER_ROWS_DROPPED
from market_data_engine.providers.provider import Bar, BarLength, Capability, Permit
from market_data_engine.vendors.rest import RestVendor
from shared.market_files.lines import parse_time

#: Of one page; the most that Alpaca gives.
_ROWS_A_PAGE = 10_000
#: A range that needs more is no range that we ask for.
_MOST_PAGES = 1000
_NAMES: dict[BarLength, str] = {"1m": "1Min", "1d": "1Day"}


class _Bar(msgspec.Struct):
    t: str
    o: float
    h: float
    l: float  # noqa: E741 - theirs
    c: float
    v: float
    n: int | None = None
    vw: float | None = None


class _Trade(msgspec.Struct):
    t: str
    p: float
    s: float
    i: int | None = None
    x: str = ""


class _Page(msgspec.Struct):
    next_page_token: str | None = None


class _BarsPage(_Page):
    bars: list[_Bar] | None = None


class _TradesPage(_Page):
    trades: list[_Trade] | None = None


P = TypeVar("P", bound=_Page)


class AlpacaHistory:
    name = "alpaca"
    capabilities: frozenset[Capability] = frozenset({"bars_1m", "bars_1d", "trades"})

    def __init__(
        self,
        url: str,
        feed: str,
        key_id: str,
        secret: str,
        *,
        permit: Permit,
        timeout_s: float = 10.0,
    ) -> None:
        """`feed` is `iex` or `sip`."""
        headers = {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret}
        self._rest = RestVendor("Alpaca", url, headers, timeout_s, permit)
        self._feed = feed

    async def close(self) -> None:
        await self._rest.close()

    def usual_name(self, symbol: str) -> str:
        return symbol

    async def bars(self, symbol: str, length: BarLength, start_ns: int, end_ns: int) -> list[Bar]:
        found: dict[int, Bar] = {}
        query = {"timeframe": _NAMES[length], "adjustment": "raw"}
        async for page in self._pages(symbol, "bars", query, start_ns, end_ns, _BarsPage):
            for row in page.bars or ():
                bar = _bar(row)
                if bar is None or not bar.is_sound:
                    PROVIDER_ROWS_DROPPED.labels(self.name).inc()
                elif start_ns <= bar.start_ns < end_ns:
                    found[bar.start_ns] = bar
        return [found[start] for start in sorted(found)]

    async def trades(self, symbol: str, start_ns: int, end_ns: int) -> list[Print]:
        found: list[Print] = []
        async for page in self._pages(symbol, "trades", {}, start_ns, end_ns, _TradesPage):
            for row in page.trades or ():
                told = _print(symbol, row)
                if told is None or not told.is_sound:
                    PROVIDER_ROWS_DROPPED.labels(self.name).inc()
                elif start_ns <= told.at_ns < end_ns:
                    found.append(told)
        found.sort(key=lambda one: one.at_ns)
        return found

    async def _pages(
        self,
        symbol: str,
        what: str,
        query: dict[str, str],
        start_ns: int,
        end_ns: int,
        shape: type[P],
    ) -> AsyncIterator[P]:
        """Their end is included, so one nanosecond less is asked for."""
        asked = {
            **query,
            "start": _text(start_ns),
            "end": _text(end_ns - 1),
            "limit": str(_ROWS_A_PAGE),
            "sort": "asc",
            "feed": self._feed,
        }
        seen: set[str] = set()
        while len(seen) < _MOST_PAGES:
            page = await self._rest.get(f"/v2/stocks/{quote(symbol, safe='')}/{what}", asked, shape)
            yield page
            token = page.next_page_token
            if not token:
                return
            if token in seen:
                raise FeedLostError("Alpaca's pages go round in a circle.")
            seen.add(token)
            asked["page_token"] = token
        raise FeedLostError(f"Alpaca's answer has more than {_MOST_PAGES} pages.")


def _bar(row: _Bar) -> Bar | None:
    try:
        start_ns = parse_time(row.t)
    except ValueError:
        return None
    return Bar(start_ns, row.o, row.h, row.l, row.c, row.v, row.vw, row.n)


def _print(symbol: str, row: _Trade) -> Print | None:
    try:
        at_ns = parse_time(row.t)
    except ValueError:
        return None
    name = None if row.i is None else f"{row.x}{row.i}"
    return Print(symbol, at_ns, row.p, row.s, name)


def _text(at_ns: int) -> str:
    seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
