"""Candles of the platform, page after page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from cli.client.gateway import Gateway, Json

_PAGE = 10_000
_EARLIEST = "1900-01-01T00:00:00Z"


@dataclass(frozen=True)
class Wanted:
    symbol: str
    timeframe: str
    #: RFC 3339. None: all there is.
    start: str | None
    #: Exclusive.
    end: str | None


async def completed_candles(gateway: Gateway, wanted: Wanted) -> AsyncIterator[list[Json]]:
    """Oldest first, without the forming one; no page is empty."""
    params: dict[str, str | int] = {
        "timeframe": wanted.timeframe,
        "start": wanted.start or _EARLIEST,
        "limit": _PAGE,
    }
    if wanted.end is not None:
        params["end"] = wanted.end
    path = f"/candles/{quote(wanted.symbol, safe='')}"
    while True:
        page = await gateway.call("GET", path, params=params)
        if completed := [item for item in page["items"] if item["complete"]]:
            yield completed
        if page["next_cursor"] is None:
            return
        params["cursor"] = page["next_cursor"]
