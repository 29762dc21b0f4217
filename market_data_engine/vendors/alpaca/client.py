"""Alpaca's live stream.

Spoken directly and not through alpaca-py: that wants pandas (80 MB), runs an event loop of its own
in a thread, and retries for ever by itself, so that nobody could say why a feed isn't there.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from websockets.asyncio.client import ClientConnection

from market_data_engine.feeds.events import FeedEvent
from market_data_engine.feeds.live import FeedLostError
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.vendors.alpaca import messages
from market_data_engine.vendors.alpaca.translate import failure, told
from market_data_engine.vendors.sockets import connected


class AlpacaFeed:
    name = "alpaca"

    def __init__(
        self, stream_url: str, key_id: str, secret: str, *, timeout_s: float = 10.0
    ) -> None:
        self._url = stream_url
        self._key_id = key_id
        self._secret = secret
        self._timeout_s = timeout_s

    def exchange_of(self, symbol: str) -> str:  # noqa: ARG002
        return "XNYS"

    async def stream(self, symbols: Sequence[str]) -> AsyncIterator[list[FeedEvent]]:
        async with connected("Alpaca", self._url, self._timeout_s) as socket:
            async with asyncio.timeout(self._timeout_s):
                await self._expect(socket, messages.Success)
                await socket.send(messages.sign_in(self._key_id, self._secret))
                await self._expect(socket, messages.Success)
                await socket.send(messages.subscribe(symbols))
                await self._expect(socket, messages.Subscription)
            yield []
            async for frame in socket:
                yield self._understood(frame)
            raise FeedLostError("Alpaca closed the stream.")

    async def _expect(self, socket: ClientConnection, kind: type[messages.Message]) -> None:
        """Control messages come alone in their frame."""
        heard, _ = messages.decode(await socket.recv())
        for message in heard:
            if isinstance(message, messages.Error):
                raise failure(message)
            if isinstance(message, kind):
                return
        raise FeedLostError(f"Alpaca didn't say {kind.__name__.lower()} when it should have.")

    def _understood(self, frame: str | bytes) -> list[FeedEvent]:
        heard, bad_messages = messages.decode(frame)
        events, bad_values = told(heard)
        if bad_messages or bad_values:
            FEED_EVENTS.labels(self.name, "not_understood").inc(bad_messages + bad_values)
        return events
