"""The connector against a server that speaks Finnhub's words, its errors included."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from market_data_engine.feeds.events import FeedEvent, Print
from market_data_engine.feeds.live import FeedLostError, FeedRefusedError, FeedThrottledError
from market_data_engine.live.sources import live_sources
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.settings import MarketDataSettings
from market_data_engine.vendors.finnhub.client import FinnhubFeed, failure
from tests.market_data_engine.vendors.finnhub import (
    TOKEN,
    FinnhubServer,
    finnhub_server,
    trades,
)

AT_MS = 1_767_623_400_123


@pytest.fixture
async def finnhub() -> AsyncIterator[FinnhubServer]:
    async with finnhub_server() as server:
        yield server


def feed(finnhub: FinnhubServer, token: str = TOKEN) -> FinnhubFeed:
    return FinnhubFeed(finnhub.url, token, timeout_s=5.0)


async def following(stream: AsyncIterator[list[FeedEvent]]) -> list[FeedEvent]:
    return await asyncio.wait_for(anext(stream), 30)


async def test_each_symbol_is_subscribed_to_and_its_trades_come_without_ids(
    finnhub: FinnhubServer,
) -> None:
    stream = feed(finnhub).stream(["AAPL", "BINANCE:BTCUSDT"])
    assert await following(stream) == []
    await finnhub.tell(
        trades(("AAPL", 187.25, AT_MS, 100), ("BINANCE:BTCUSDT", 65000.5, AT_MS + 1, 0.011))
    )
    assert await following(stream) == [
        Print("AAPL", AT_MS * 1_000_000, 187.25, 100),
        Print("BINANCE:BTCUSDT", (AT_MS + 1) * 1_000_000, 65000.5, 0.011),
    ]
    assert finnhub.subscriptions == ["AAPL", "BINANCE:BTCUSDT"]


async def test_a_ping_tells_nothing_but_that_the_feed_is_there(finnhub: FinnhubServer) -> None:
    stream = feed(finnhub).stream(["AAPL"])
    await following(stream)
    await finnhub.tell({"type": "ping"})
    assert await following(stream) == []


async def test_a_wrong_token_is_a_refusal_that_does_not_tell_it(finnhub: FinnhubServer) -> None:
    with pytest.raises(FeedRefusedError, match="401") as refused:
        await following(feed(finnhub, "wrong-one").stream(["AAPL"]))
    assert "wrong-one" not in str(refused.value)


async def test_a_throttled_handshake_says_how_long_to_wait(finnhub: FinnhubServer) -> None:
    finnhub.handshake_status = 429
    with pytest.raises(FeedThrottledError) as throttled:
        await following(feed(finnhub).stream(["AAPL"]))
    assert throttled.value.retry_after_s == 7


async def test_an_error_frame_ends_the_stream(finnhub: FinnhubServer) -> None:
    finnhub.error = "Subscribing to too many symbols"
    stream = feed(finnhub).stream(["AAPL"])
    await following(stream)
    with pytest.raises(FeedRefusedError, match="too many symbols"):
        await following(stream)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("Invalid API key", FeedRefusedError),
        ("You don't have access to this resource.", FeedRefusedError),
        ("API limit reached", FeedThrottledError),
        ("Internal error", FeedLostError),
    ],
)
def test_the_words_of_an_error_say_whether_to_try_again(told: str, kind: type[Exception]) -> None:
    assert type(failure(told)) is kind


async def test_a_connection_that_breaks_is_lost(finnhub: FinnhubServer) -> None:
    stream = feed(finnhub).stream(["AAPL"])
    await following(stream)
    await finnhub.subscribed.wait()
    finnhub.connections[-1].transport.abort()
    with pytest.raises(FeedLostError):
        await following(stream)


async def test_what_cannot_be_understood_is_counted_and_the_rest_is_taken(
    finnhub: FinnhubServer,
) -> None:
    counter = FEED_EVENTS.labels("finnhub", "not_understood")
    before = counter._value.get()
    stream = feed(finnhub).stream(["AAPL"])
    await following(stream)
    good = trades(("AAPL", 187.25, AT_MS, 100))
    rows = [
        {"s": "AAPL", "p": "high", "t": AT_MS, "v": 1},
        {"s": "AAPL", "p": 1.0, "t": 1 << 60, "v": 1},
        {"s": "AAPL", "p": 1.0, "t": -1, "v": 1},
        {"p": 1.0},
    ]
    await finnhub.tell({"type": "trade", "data": [*rows, *good["data"]]})
    assert await following(stream) == [Print("AAPL", AT_MS * 1_000_000, 187.25, 100)]
    for frame in ("{not json", '{"type":"trade","data":7}', '{"type":"surprise"}', "[]"):
        await finnhub.tell_raw(frame)
        assert await following(stream) == []
    assert counter._value.get() - before == 8


def test_the_prefix_of_a_symbol_says_where_it_trades() -> None:
    its = FinnhubFeed("ws://127.0.0.1:1", TOKEN).exchange_of
    assert its("AAPL") == "XNYS"
    assert its("OANDA:EUR_USD") == "FX"
    assert its("BINANCE:BTCUSDT") == "24/7"


def test_feeds_without_their_settings_are_unavailable_and_say_which() -> None:
    settings = MarketDataSettings(live_feeds="finnhub:AAPL; ccxt:BTC/USDT")
    sources = live_sources(settings)
    assert sources.followed == []
    assert {one.name: one.problem for one in sources.unavailable} == {
        "finnhub": "FINNHUB_TOKEN must be set.",
        "ccxt": "CCXT_EXCHANGE must be set.",
    }
