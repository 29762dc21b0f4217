"""CCXT's connector against a server that speaks Kraken's words, its errors included."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from market_data_engine.feeds.events import FeedEvent, Print
from market_data_engine.feeds.live import FeedLostError, FeedRefusedError, FeedThrottledError
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.vendors.ccxt.client import CcxtFeed, known_at
from tests.market_data_engine.vendors.kraken import KrakenServer, kraken_server

SYMBOL = "BTC/USD"


@pytest.fixture
async def kraken() -> AsyncIterator[KrakenServer]:
    async with kraken_server() as server:
        yield server


def feed(kraken: KrakenServer) -> CcxtFeed:
    return CcxtFeed("kraken", kraken.url, poll_s=0.1, timeout_s=20.0)


async def following(stream: AsyncIterator[list[FeedEvent]]) -> list[FeedEvent]:
    return await asyncio.wait_for(anext(stream), 60)


async def test_trades_of_a_stream_come_with_their_numbers(kraken: KrakenServer) -> None:
    async with aclosing(feed(kraken).stream([SYMBOL])) as stream:
        assert await following(stream) == []
        began_ns = time.time_ns()
        await kraken.tell((7, 65000.5, 0.011), (8, 65001.0, 0.5))
        events = await following(stream)
        assert [(one.symbol, one.price, one.size, one.id) for one in events] == [
            (SYMBOL, 65000.5, 0.011, "7"),
            (SYMBOL, 65001.0, 0.5, "8"),
        ]
        assert abs(events[0].at_ns - began_ns) < 60_000_000_000
        await kraken.tell((9, 64999.0, 1))
        assert [one.id for one in await following(stream)] == ["9"]


async def test_a_stream_that_breaks_is_lost(kraken: KrakenServer) -> None:
    async with aclosing(feed(kraken).stream([SYMBOL])) as stream:
        await following(stream)
        await kraken.subscribed.wait()
        await kraken.streams[-1].close()
        with pytest.raises(FeedLostError, match="kraken"):
            await following(stream)


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ({"error": "EAPI:Rate limit exceeded"}, FeedThrottledError),
        ({"error": "EGeneral:Permission denied"}, FeedRefusedError),
        ({"error": "EService:Unavailable"}, FeedLostError),
        ({"status": 429}, FeedThrottledError),
        ({"body": "<html>down for maintenance</html>"}, FeedLostError),
    ],
    ids=str,
)
async def test_what_the_exchange_answers_says_whether_to_try_again(
    kraken: KrakenServer, trouble: dict[str, object], kind: type[Exception]
) -> None:
    for name, value in trouble.items():
        setattr(kraken, name, value)
    with pytest.raises(kind) as told:
        await following(feed(kraken).stream([SYMBOL]))
    assert "127.0.0.1" not in str(told.value)


async def test_a_market_or_exchange_that_is_not_there_is_refused(kraken: KrakenServer) -> None:
    with pytest.raises(FeedRefusedError, match="no market DOGE/XYZ"):
        await following(feed(kraken).stream([SYMBOL, "DOGE/XYZ"]))
    with pytest.raises(FeedRefusedError, match="no exchange nowhere"):
        await following(CcxtFeed("nowhere", None).stream([SYMBOL]))


async def test_nobody_there_is_lost() -> None:
    with pytest.raises(FeedLostError):
        await following(CcxtFeed("kraken", "http://127.0.0.1:9", timeout_s=5).stream([SYMBOL]))


class Asking(CcxtFeed):
    """Of an exchange that has no stream, for all that CCXT knows."""

    def _told(self, library, client, symbols):  # type: ignore[no-untyped-def]
        client.has["watchTrades"] = False
        return super()._told(library, client, symbols)


async def test_without_a_stream_trades_are_asked_for_from_the_newest_one_on(
    kraken: KrakenServer,
) -> None:
    counter = FEED_EVENTS.labels("ccxt", "not_understood")
    before = counter._value.get()
    its = Asking("kraken", kraken.url, poll_s=0.1, timeout_s=20.0)
    async with aclosing(its.stream([SYMBOL])) as stream:
        assert await following(stream) == []
        kraken.add_trade(7, 65000.5, 0.011, time.time() + 1)
        kraken.trades.append([None, "1", time.time() + 1, "b", "m", "", 8])
        (event,) = await following(stream)
        assert isinstance(event, Print)
        assert (event.price, event.size, event.id) == (65000.5, 0.011, "7")
        assert counter._value.get() > before
        await following(stream)  # told again: whoever takes it in knows it by its number
        assert float(kraken.asked[-1]) > float(kraken.asked[0])


def test_a_print_that_was_asked_for_has_the_time_at_which_it_is_known() -> None:
    told = Print(SYMBOL, 1_000, 1.0, 1.0, "7")
    assert known_at(told, 1_500, 600).at_ns == 1_500
    assert known_at(told, 1_700, 600) == told  # a loss has held it up: it is late
    assert known_at(told, 900, 600) == told  # their clock is ahead of ours
