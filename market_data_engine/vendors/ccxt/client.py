"""Live trades of a crypto exchange, whichever of those that CCXT knows.

Where the exchange has a stream of trades, and CCXT speaks it, that is followed; else its trades are
asked for again and again. The library is imported by the first connection: it takes 110 MB.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from math import isfinite
from typing import Any

from market_data_engine.feeds.events import FeedEvent, Print
from market_data_engine.feeds.live import FeedLostError, FeedRefusedError
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.vendors.ccxt.library import Library, load
from shared.calendars import ALWAYS_OPEN
from shared.utils.tasks import end_tasks

#: Lists that wait to be taken; beyond, the exchange's connection does.
_QUEUE_LISTS = 1000
#: Of one answer. With so many there may be more, which are asked for at once.
_MOST_ROWS = 1000
#: Between a trade and the answer that tells of it, next to the pause between two questions.
_MOST_DELAY_S = 5.0
#: After a loss trades are asked for again from so long before.
_AGAIN_NS = 60_000_000_000
_MS = 1_000_000


class CcxtFeed:
    name = "ccxt"

    def __init__(
        self, exchange: str, url: str | None, *, poll_s: float = 1.0, timeout_s: float = 10.0
    ) -> None:
        """`url` stands in for the scheme and host of all that the exchange serves."""
        self._exchange = exchange
        self._url = url
        self._poll_s = poll_s
        self._timeout_s = timeout_s
        self._most_delay_ns = int((poll_s + _MOST_DELAY_S) * 1e9)
        #: Of polling: the newest trade of each symbol, also of connections before.
        self._newest_ns: dict[str, int] = {}

    def exchange_of(self, symbol: str) -> str:  # noqa: ARG002
        return ALWAYS_OPEN

    async def stream(self, symbols: Sequence[str]) -> AsyncIterator[list[FeedEvent]]:
        library = await asyncio.to_thread(load)
        client = library.client(self._exchange, self._url, self._timeout_s)
        try:
            with library.failures(self._exchange):
                markets = await client.load_markets()
                if not markets:  # what it answered were none of its words
                    raise FeedLostError(f"{self._exchange} told no markets.")
                unknown = sorted(set(symbols) - markets.keys())
                if unknown:
                    raise FeedRefusedError(f"{self._exchange} has no market {unknown[0]}.")
                told = self._told(library, client, symbols)
                async with aclosing(told):  # type: ignore[type-var]
                    async for events in told:
                        yield events
        finally:
            await client.close()

    def _told(
        self, library: Library, client: Any, symbols: Sequence[str]
    ) -> AsyncIterator[list[FeedEvent]]:
        if client.has.get("watchTrades"):
            return self._watched(client, symbols)
        if client.has.get("fetchTrades"):
            return self._polled(library, client, symbols)
        raise FeedRefusedError(f"{self._exchange} tells no trades.")

    # --- a stream --------------------------------------------------------------------------------

    async def _watched(self, client: Any, symbols: Sequence[str]) -> AsyncIterator[list[FeedEvent]]:
        """It stands when the exchange was connected to: what it answers to a subscription CCXT
        keeps to itself."""
        told: asyncio.Queue[list[Any]] = asyncio.Queue(_QUEUE_LISTS)
        watching = [
            asyncio.create_task(_watch(client, symbol, told), name=f"ccxt-{symbol}")
            for symbol in symbols
        ]
        try:
            yield []
            while True:
                next_list = asyncio.create_task(told.get())
                done, _ = await asyncio.wait(
                    [next_list, *watching], return_when=asyncio.FIRST_COMPLETED
                )
                if next_list in done:
                    yield list(self._prints(next_list.result()))
                    continue
                next_list.cancel()
                for task in watching:
                    if task in done:
                        task.result()
        finally:
            await end_tasks(watching)

    # --- asking again and again ------------------------------------------------------------------

    async def _polled(
        self, library: Library, client: Any, symbols: Sequence[str]
    ) -> AsyncIterator[list[FeedEvent]]:
        began_ns = time.time_ns()
        yield []
        while True:
            due_s = time.monotonic() + self._poll_s
            for symbol in symbols:
                more = True
                while more:
                    since_ns = max(
                        self._newest_ns.get(symbol, began_ns), time.time_ns() - _AGAIN_NS
                    )
                    rows = await client.fetch_trades(symbol, since_ns // _MS, _MOST_ROWS)
                    library.require_list(self._exchange, rows)
                    events = self._prints(rows)
                    newest_ns = max((event.at_ns for event in events), default=since_ns)
                    more = len(rows) >= _MOST_ROWS and newest_ns > since_ns
                    self._newest_ns[symbol] = max(since_ns, newest_ns)
                    if events:
                        now_ns = time.time_ns()
                        yield [known_at(event, now_ns, self._most_delay_ns) for event in events]
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    def _prints(self, rows: Sequence[Any]) -> list[Print]:
        understood = [event for event in map(_print, rows) if event is not None]
        if len(understood) < len(rows):
            FEED_EVENTS.labels(self.name, "not_understood").inc(len(rows) - len(understood))
        return understood


async def _watch(client: Any, symbol: str, told: asyncio.Queue[list[Any]]) -> None:
    while True:
        rows = await client.watch_trades(symbol)
        if rows:
            # The library goes on to fill the list that it has given.
            await told.put(list(rows))


def _print(row: Any) -> Print | None:
    """Of CCXT's own words for a trade, which are the same for all exchanges."""
    symbol, at_ms, price, amount = (
        row.get(key) for key in ("symbol", "timestamp", "price", "amount")
    )
    try:
        price, amount, at_ns = float(price), float(amount), int(at_ms) * _MS
    except (TypeError, ValueError, OverflowError):
        return None
    if not (isinstance(symbol, str) and isfinite(price) and isfinite(amount)):
        return None
    # Where trades have no number, equal ones of one millisecond count as one told twice.
    number = row.get("id") or f"{at_ms}/{price}/{amount}"
    return Print(symbol, at_ns, price, amount, str(number))


def known_at(event: Print, now_ns: int, most_delay_ns: int) -> Print:
    """A print that was asked for comes after its mark: it gets the time at which it is known, or it
    could neither move a price nor fill an order. One that a loss has held up is late."""
    if not 0 <= now_ns - event.at_ns <= most_delay_ns:
        return event
    return replace(event, at_ns=now_ns)
