"""Every candle of the platform, held against its exchange's calendar."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from cli.client.gateway import Gateway, Json
from cli.data.candles import Wanted, completed_candles
from cli.data.verification import Report, Verification
from cli.errors import CliError
from shared.calendars import Calendars, UnknownExchangeError
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def verify_candles(
    gateway: Gateway,
    symbols: Sequence[str],
    timeframes: Sequence[Timeframe],
    start: str | None,
    end: str | None,
) -> list[Report]:
    """One report for each symbol and timeframe that has candles. No symbols: all there are."""
    calendars = Calendars(None)
    reports = []
    for instrument in await _instruments(gateway, symbols):
        symbol = instrument["symbol"]
        try:
            calendar = await asyncio.to_thread(calendars.of, instrument["exchange"])
        except UnknownExchangeError as error:
            raise CliError(f"{symbol} can't be verified: {error}") from error
        for timeframe in timeframes:
            verification = Verification(Report(symbol, timeframe), calendar)
            async for page in completed_candles(gateway, Wanted(symbol, timeframe, start, end)):
                verification.add(_candle(symbol, timeframe, item) for item in page)
            if verification.report.candles:
                reports.append(verification.report)
    return reports


async def _instruments(gateway: Gateway, symbols: Sequence[str]) -> list[Json]:
    if symbols:
        paths = [f"/instruments/{quote(symbol, safe='')}" for symbol in symbols]
        return [await gateway.call("GET", path) for path in paths]
    return [one async for one in gateway.items("/instruments")]


def _candle(symbol: str, timeframe: Timeframe, item: Json) -> Candle:
    numbers = (item[name] for name in ("open", "high", "low", "close", "volume", "vwap", "trades"))
    return Candle(Symbol(symbol), timeframe, _ns(item["start"]), _ns(item["end"]), *numbers)


def _ns(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1) * 1000
