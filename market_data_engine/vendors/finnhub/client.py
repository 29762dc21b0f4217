"""Finnhub's live trades.

Spoken directly: finnhub-python asks over HTTP only. A subscription isn't answered, so it stands
when it was sent; what is wrong with it comes as an error frame afterwards.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlencode

from market_data_engine.feeds.events import FeedEvent
from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.vendors.finnhub import messages
from market_data_engine.vendors.sockets import connected
from shared.calendars import ALWAYS_OPEN, CURRENCIES

_LIMIT_PAUSE_S = 30.0
#: Where symbols with such a prefix trade (`OANDA:EUR_USD`); all others are US equities.
_CURRENCY_VENUES = frozenset({"OANDA", "FXCM", "FOREX", "IC MARKETS", "FXPRO", "PEPPERSTONE"})


class FinnhubFeed:
    name = "finnhub"

    def __init__(self, stream_url: str, token: str, *, timeout_s: float = 10.0) -> None:
        self._url = f"{stream_url}?{urlencode({'token': token})}"
        self._timeout_s = timeout_s

    def exchange_of(self, symbol: str) -> str:
        venue, colon, _ = symbol.partition(":")
        if not colon:
            return "XNYS"
        return CURRENCIES if venue in _CURRENCY_VENUES else ALWAYS_OPEN

    async def stream(self, symbols: Sequence[str]) -> AsyncIterator[list[FeedEvent]]:
        async with connected("Finnhub", self._url, self._timeout_s) as socket:
            async with asyncio.timeout(self._timeout_s):
                for subscription in messages.subscriptions(symbols):
                    await socket.send(subscription)
            yield []
            async for frame in socket:
                yield self._understood(frame)
            raise FeedLostError("Finnhub closed the stream.")

    def _understood(self, frame: str | bytes) -> list[FeedEvent]:
        message = messages.decode(frame)
        if isinstance(message, messages.Error):
            raise failure(message.msg)
        if isinstance(message, messages.Trades):
            understood, bad = messages.prints(message)
        else:
            understood, bad = [], message is None
        if bad:
            FEED_EVENTS.labels(self.name, "not_understood").inc(bad)
        return list(understood)


def failure(told: str) -> FeedError:
    """Errors have no codes: which kind it is, their words say."""
    text = f"Finnhub says: {told[:200]}."
    words = told.lower()
    if "limit" in words or "too many requests" in words:
        return FeedThrottledError(text, _LIMIT_PAUSE_S)
    if any(word in words for word in ("api key", "token", "access", "subscri", "invalid symbol")):
        return FeedRefusedError(text)
    return FeedLostError(text)
