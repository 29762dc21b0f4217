"""How a feed is followed through losses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random

import pytest

from market_data_engine.feeds.events import FeedEvent, Print
from market_data_engine.feeds.following import Follower, Patience
from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)
from market_data_engine.vendors.alpaca.client import AlpacaFeed
from tests.market_data_engine.conftest import until
from tests.market_data_engine.vendors.alpaca import KEY, SECRET, AlpacaServer, alpaca_server, trade

AT = "2026-01-05T14:30:00Z"


@pytest.mark.parametrize(
    ("error", "losses", "chance", "pause_s"),
    [
        (FeedLostError(""), 1, 1.0, 0.5),
        (FeedLostError(""), 1, 0.0, 0.25),
        (FeedLostError(""), 3, 1.0, 2.0),
        (FeedLostError(""), 1000, 1.0, 30.0),
        (FeedThrottledError("", 45.0), 1, 1.0, 45.0),
        (FeedThrottledError("", 0.0), 3, 1.0, 2.0),
        (FeedRefusedError(""), 1, 1.0, 60.0),
    ],
)
def test_pauses_grow_with_losses_in_a_row_and_heed_the_vendor(
    error: FeedError, losses: int, chance: float, pause_s: float
) -> None:
    assert Patience().after(error, losses, chance) == pause_s


@contextlib.asynccontextmanager
async def followed(
    alpaca: AlpacaServer, secret: str = SECRET
) -> AsyncIterator[tuple[Follower, list[FeedEvent]]]:
    heard: list[FeedEvent] = []

    async def take(events: list[FeedEvent]) -> None:
        heard.extend(events)

    follower = Follower(
        AlpacaFeed(alpaca.url, KEY, secret, timeout_s=5),
        ["AAPL"],
        take,
        patience=Patience(first_s=0.01, refused_s=0.05),
        random=Random(1),
    )
    task = asyncio.create_task(follower.follow())
    try:
        yield follower, heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_lost_feed_is_subscribed_again_and_goes_on() -> None:
    async with alpaca_server() as alpaca, followed(alpaca) as (follower, heard):
        for number in (1, 2):
            await asyncio.wait_for(alpaca.subscribed.wait(), 5)
            await alpaca.tell(trade("AAPL", 10.0 + number, AT, number))

            async def all_heard(number: int = number) -> bool:
                return len(heard) == number

            await until(all_heard)
            assert follower.status.state == "live"
            assert follower.status.losses == number - 1
            if number == 1:
                await alpaca.drop()
        assert [event.price for event in heard if isinstance(event, Print)] == [11.0, 12.0]


async def test_a_refused_feed_says_why_and_is_asked_again_now_and_then() -> None:
    async with alpaca_server() as alpaca, followed(alpaca, secret="wrong") as (follower, _):

        async def asked_again() -> bool:
            return follower.status.losses >= 2

        await until(asked_again)
        assert follower.status.state == "refused"
        assert follower.status.problem == "Alpaca says 402: auth failed."
        assert follower.status.silent_s(1e9) is None
