"""Bars of the chart service that Yahoo Finance's pages use. It wants no key, and promises nothing.

`GET /v8/finance/chart/{symbol}?interval=1m&period1=…&period2=…`, seconds since the epoch, end
excluded. Minutes are kept for about a month, and at most a week can be asked for at once.
"""

from urllib.parse import quote

import msgspec

from market_data_engine.feeds.events import Print
from market_data_engine.metrics import PROVIDER_ROWS_DROPPED
from market_data_engine.providers.provider import (
    Bar,
    BarLength,
    Capability,
    Permit,
    ProviderDeclinedError,
)
from market_data_engine.vendors.rest import RestVendor
from shared.candles.timeframes import DAY_NS

_SECOND_NS = 1_000_000_000
#: The longest range of one question.
_SPAN_NS: dict[BarLength, int] = {"1m": 7 * DAY_NS, "1d": 3650 * DAY_NS}
#: Where nothing else is asked for, they answer a program with 429.
_HEADERS = {"User-Agent": "Mozilla/5.0"}

_Column = list[float | None]


class _Quote(msgspec.Struct):
    open: _Column = []
    high: _Column = []
    low: _Column = []
    close: _Column = []
    volume: _Column = []


class _Indicators(msgspec.Struct):
    quote: list[_Quote]


class _Result(msgspec.Struct):
    indicators: _Indicators
    #: Not there when there are no bars.
    timestamp: list[int] = []


class _Error(msgspec.Struct):
    code: str = ""


class _Chart(msgspec.Struct):
    result: list[_Result] | None = None
    error: _Error | None = None


class _Answer(msgspec.Struct):
    chart: _Chart


class YahooHistory:
    name = "yahoo"
    capabilities: frozenset[Capability] = frozenset({"bars_1m", "bars_1d"})

    def __init__(self, url: str, *, permit: Permit, timeout_s: float = 10.0) -> None:
        self._rest = RestVendor("Yahoo", url, _HEADERS, timeout_s, permit)

    async def close(self) -> None:
        await self._rest.close()

    def usual_name(self, symbol: str) -> str:
        """Class shares are written with a dash there."""
        return symbol.replace(".", "-")

    async def bars(self, symbol: str, length: BarLength, start_ns: int, end_ns: int) -> list[Bar]:
        found: dict[int, Bar] = {}
        from_ns = start_ns
        while from_ns < end_ns:
            until_ns = min(end_ns, from_ns + _SPAN_NS[length])
            for bar in await self._span(symbol, length, from_ns, until_ns):
                if not bar.is_sound:
                    PROVIDER_ROWS_DROPPED.labels(self.name).inc()
                elif from_ns <= bar.start_ns < until_ns:
                    found[bar.start_ns] = bar
            from_ns = until_ns
        return [found[start] for start in sorted(found)]

    async def trades(self, symbol: str, start_ns: int, end_ns: int) -> list[Print]:  # noqa: ARG002
        raise ProviderDeclinedError("Yahoo tells no trades.")

    async def _span(self, symbol: str, length: BarLength, start_ns: int, end_ns: int) -> list[Bar]:
        query = {
            "interval": length,
            "period1": str(start_ns // _SECOND_NS),
            "period2": str(-(-end_ns // _SECOND_NS)),
            # Extended hours are part of our sessions.
            "includePrePost": "true",
            "events": "",
        }
        name = quote(symbol, safe="")
        chart = (await self._rest.get(f"/v8/finance/chart/{name}", query, _Answer)).chart
        if chart.error is not None or not chart.result:
            code = chart.error.code if chart.error is not None else "nothing"
            raise ProviderDeclinedError(f"Yahoo has no answer to this: {code[:100]}.")
        result = chart.result[0]
        if not result.indicators.quote:
            return []
        return _bars(result.timestamp, result.indicators.quote[0])


def _bars(starts_s: list[int], told: _Quote) -> list[Bar]:
    """A minute without trades has nulls in its columns: it has no bar. Of extended hours no volume
    is told, so prices without it count."""
    columns = zip(starts_s, told.open, told.high, told.low, told.close, told.volume, strict=False)
    return [
        Bar(start_s * _SECOND_NS, opened, high, low, close, volume or 0.0, None, None)
        for start_s, opened, high, low, close, volume in columns
        if opened is not None and high is not None and low is not None and close is not None
    ]
