"""The connector against a server that speaks Alpaca's words, its errors included."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from market_data_engine.feeds.events import Cancel, Correction, FeedEvent, Print, Quote
from market_data_engine.feeds.live import (
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)
from market_data_engine.metrics import FEED_EVENTS
from market_data_engine.vendors.alpaca.client import AlpacaFeed
from shared.market_files.lines import parse_time
from tests.market_data_engine.vendors.alpaca import (
    KEY,
    SECRET,
    AlpacaServer,
    alpaca_server,
    quote,
    trade,
)

AT = "2026-01-05T14:30:00.123456789Z"
AT_NS = parse_time(AT)


@pytest.fixture
async def alpaca() -> AsyncIterator[AlpacaServer]:
    async with alpaca_server() as server:
        yield server


def feed(alpaca: AlpacaServer, secret: str = SECRET, timeout_s: float = 5.0) -> AlpacaFeed:
    return AlpacaFeed(alpaca.url, KEY, secret, timeout_s=timeout_s)


async def following(stream: AsyncIterator[list[FeedEvent]]) -> list[FeedEvent]:
    return await asyncio.wait_for(anext(stream), 5)


async def test_prints_and_quotes_come_with_nanoseconds_and_ids(alpaca: AlpacaServer) -> None:
    stream = feed(alpaca).stream(["AAPL", "MSFT"])
    assert await following(stream) == []
    assert alpaca.subscriptions == [
        {"action": "subscribe", "trades": ["AAPL", "MSFT"], "quotes": ["AAPL", "MSFT"]}
    ]
    await alpaca.tell(trade("AAPL", 187.25, AT, 52983525029461), quote("MSFT", 410.1, 0, AT))
    assert await following(stream) == [
        Print("AAPL", AT_NS, 187.25, 100, "V52983525029461"),
        Quote("MSFT", AT_NS, 410.1, 0, 3, 2),
    ]


async def test_cancels_and_corrections_name_the_print_they_are_about(
    alpaca: AlpacaServer,
) -> None:
    stream = feed(alpaca).stream(["AAPL"])
    await following(stream)
    await alpaca.tell(
        {"T": "x", "S": "AAPL", "i": 7, "x": "V", "p": 1.0, "s": 1, "a": "C", "t": AT, "z": "C"},
        {"T": "c", "S": "AAPL", "x": "V", "oi": 8, "op": 1.0, "os": 1, "oc": [], "ci": 9,
         "cp": 187.0, "cs": 50, "cc": [], "t": AT, "z": "C"},
    )  # fmt: skip
    assert await following(stream) == [
        Cancel("AAPL", AT_NS, "V7"),
        Correction("AAPL", AT_NS, "V8", Print("AAPL", AT_NS, 187.0, 50, "V9")),
    ]


async def test_wrong_keys_are_a_refusal_that_does_not_tell_them(alpaca: AlpacaServer) -> None:
    with pytest.raises(FeedRefusedError, match="402: auth failed") as refused:
        await following(feed(alpaca, secret="wrong-one").stream(["AAPL"]))
    assert "wrong-one" not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (405, FeedRefusedError),
        (406, FeedThrottledError),
        (409, FeedRefusedError),
        (500, FeedLostError),
    ],
)
async def test_each_error_code_says_whether_to_try_again(
    alpaca: AlpacaServer, code: int, kind: type[Exception]
) -> None:
    alpaca.subscribe_error = (code, "no")
    with pytest.raises(kind, match=f"{code}: no"):
        await following(feed(alpaca).stream(["AAPL"]))


async def test_a_throttled_handshake_says_how_long_to_wait(alpaca: AlpacaServer) -> None:
    alpaca.handshake_status = 429
    with pytest.raises(FeedThrottledError) as throttled:
        await following(feed(alpaca).stream(["AAPL"]))
    assert throttled.value.retry_after_s == 7


async def test_a_connection_that_breaks_is_lost(alpaca: AlpacaServer) -> None:
    stream = feed(alpaca).stream(["AAPL"])
    await following(stream)
    await alpaca.drop()
    with pytest.raises(FeedLostError):
        await following(stream)


async def test_a_server_that_says_nothing_is_lost_in_bounded_time(alpaca: AlpacaServer) -> None:
    alpaca.mute = True
    with pytest.raises(FeedLostError, match=r"within 0\.2 s"):
        await following(feed(alpaca, timeout_s=0.2).stream(["AAPL"]))


async def test_what_cannot_be_understood_is_counted_and_the_rest_is_taken(
    alpaca: AlpacaServer,
) -> None:
    counter = FEED_EVENTS.labels("alpaca", "not_understood")
    before = counter._value.get()
    stream = feed(alpaca).stream(["AAPL"])
    await following(stream)
    bad_price = trade("AAPL", 1.0, AT) | {"p": "high"}
    await alpaca.tell(
        bad_price,
        trade("AAPL", 2.0, "yesterday"),
        {"T": "news", "headline": "?"},
        {"T": "b", "S": "AAPL"},  # a bar that nobody asked for is no mistake
        trade("AAPL", 187.25, AT, 3),
    )
    assert await following(stream) == [Print("AAPL", AT_NS, 187.25, 100, "V3")]
    await alpaca.tell_raw("{not json")
    assert await following(stream) == []
    assert counter._value.get() - before == 4
