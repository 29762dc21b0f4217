"""What every live source looks like, and how it fails."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from market_data_engine.feeds.events import FeedEvent


class FeedError(Exception):
    """The stream is over. The message is one sentence for people, without credentials."""


class FeedLostError(FeedError):
    """The connection broke off, could not be made, or spoke nonsense: try again."""


class FeedThrottledError(FeedError):
    """The vendor asks for patience: try again, not before `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class FeedRefusedError(FeedError):
    """The vendor doesn't serve us: credentials, entitlement, too many connections or symbols.

    A person has to do something, so the feed is asked again only now and then.
    """


class LiveFeed(Protocol):
    """One vendor. It knows nothing about reconnecting, repeats, order or staleness: whoever
    follows it does (`following.py`)."""

    @property
    def name(self) -> str: ...

    def exchange_of(self, symbol: str) -> str:
        """The calendar of a symbol that nobody knows yet: a MIC, `24/7`, or `FX`."""
        ...

    def stream(self, symbols: Sequence[str]) -> AsyncIterator[list[FeedEvent]]:
        """One connection's life: connects, signs in, subscribes, tells what comes.

        The first list, often empty, comes when the subscription stands. What of a message can't
        be understood is counted and left out. Ends only by a FeedError; closing the iterator
        closes the connection.
        """
        ...
