"""Following a live feed for good: through losses, refusals and silence."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import structlog

from market_data_engine.feeds.events import FeedEvent
from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
    LiveFeed,
)
from market_data_engine.feeds.presence import Presence
from market_data_engine.metrics import FEED_LOSSES

log = structlog.get_logger()

FeedState = Literal["connecting", "live", "lost", "throttled", "refused", "idle"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before the next attempt: doubled from loss to loss, with chance in it, so
    that many engines don't come back at one moment."""

    first_s: float = 0.5
    most_s: float = 30.0
    refused_s: float = 60.0

    def pause_s(self, losses: int, chance: float) -> float:
        """After `losses` in a row, from 1; `chance` is from 0 to 1."""
        whole = min(self.most_s, self.first_s * 2.0 ** min(losses - 1, 20))
        return whole * (0.5 + chance / 2)

    def after(self, error: FeedError, losses: int, chance: float) -> float:
        pause_s = self.pause_s(losses, chance)
        if isinstance(error, FeedRefusedError):
            return max(pause_s, self.refused_s * (0.5 + chance / 2))
        if isinstance(error, FeedThrottledError):
            return max(pause_s, error.retry_after_s)
        return pause_s


@dataclass
class FeedStatus:
    """What is known of a feed now."""

    name: str
    symbols: list[str]
    state: FeedState = "connecting"
    #: Why it isn't live, in one sentence.
    problem: str | None = None
    #: Connections lost since the start.
    losses: int = 0
    #: Wall time (monotonic) of the last event, and of the time that the subscription stood.
    heard_s: float | None = None
    live_since_s: float | None = field(default=None)
    #: When it was there, by the wall clock.
    presence: Presence = field(default_factory=Presence)
    #: Strategies wait for it: nothing has come for too long.
    stale: bool = False

    def silent_s(self, now_s: float) -> float | None:
        """Since when nothing has come; None before it was ever live."""
        last_s = self.heard_s if self.heard_s is not None else self.live_since_s
        return None if last_s is None else max(0.0, now_s - last_s)


_STATE_AFTER: dict[type[FeedError], FeedState] = {
    FeedRefusedError: "refused",
    FeedThrottledError: "throttled",
}


class Follower:
    """Hands what the feed tells to `take`, which may wait: then so does the connection."""

    def __init__(
        self,
        feed: LiveFeed,
        symbols: Sequence[str],
        take: Callable[[list[FeedEvent]], Awaitable[None]],
        *,
        patience: Patience | None = None,
        random: Random | None = None,
    ) -> None:
        self._feed = feed
        self._take = take
        self._patience = patience or Patience()
        self._random = random or Random()  # noqa: S311 - spreads attempts, guards nothing
        self.status = FeedStatus(feed.name, list(symbols))
        self._losses_in_a_row = 0

    async def follow(self) -> None:
        """Until cancelled."""
        status = self.status
        while True:
            try:
                await self._stream()
                error: FeedError = FeedLostError("The stream ended without a word.")
            except FeedError as failure:
                error = failure
            self._losses_in_a_row += 1
            status.losses += 1
            status.live_since_s = None
            status.presence.lost()
            status.state = _STATE_AFTER.get(type(error), "lost")
            status.problem = str(error)
            FEED_LOSSES.labels(status.name, status.state).inc()
            pause_s = self._patience.after(error, self._losses_in_a_row, self._random.random())
            log.warning(
                "feed_lost",
                feed=status.name,
                state=status.state,
                problem=status.problem,
                again_in_s=round(pause_s, 2),
            )
            await asyncio.sleep(pause_s)

    async def _stream(self) -> None:
        status = self.status
        async with aclosing(self._feed.stream(status.symbols)) as events:  # type: ignore[type-var]
            async for told in events:
                if status.live_since_s is None:
                    status.state, status.problem = "live", None
                    status.live_since_s = time.monotonic()
                    status.presence.stood(time.time_ns())
                    log.info("feed_live", feed=status.name, symbols=len(status.symbols))
                if told:
                    # Only what it tells proves that it is back: a server that takes every
                    # subscription and falls over must not be asked again and again at once.
                    self._losses_in_a_row = 0
                    status.heard_s = time.monotonic()
                    status.presence.heard(time.time_ns())
                    await self._take(told)
