"""The CCXT library: imported when it is needed, and its failures in our words."""

import contextlib
import importlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)

_THROTTLE_PAUSE_S = 10.0
_HOST = re.compile(r"^(https?|wss?)://[^/]*")


@lru_cache(maxsize=1)
def load() -> "Library":
    """Takes some seconds the first time: call it from a thread."""
    return Library(importlib.import_module("ccxt.pro"))


class Library:
    def __init__(self, streaming: Any) -> None:
        self._streaming = streaming
        self._asking: Any = importlib.import_module("ccxt.async_support")
        self._errors: Any = importlib.import_module("ccxt.base.errors")

    def client(self, exchange: str, url: str | None, timeout_s: float) -> Any:
        """CCXT's client of an exchange, not connected yet. It keeps to the exchange's limits."""
        if exchange in self._streaming.exchanges:
            known = self._streaming
        elif exchange in self._asking.exchanges:
            known = self._asking
        else:
            raise FeedRefusedError(f"CCXT knows no exchange {exchange}.")
        client = getattr(known, exchange)(
            {"enableRateLimit": True, "timeout": round(timeout_s * 1000)}
        )
        if url is not None:
            client.urls["api"] = _elsewhere(client.urls["api"], url)
        return client

    @contextlib.contextmanager
    def failures(self, exchange: str) -> Iterator[None]:
        """What goes wrong in the body becomes a FeedError. Of the library's text only the kind is
        told: it may hold a URL."""
        try:
            yield
        except FeedError:
            raise
        except self._errors.BaseError as error:
            raise self._meant(exchange, error) from None
        except (TimeoutError, OSError) as error:
            raise FeedLostError(f"The connection to {exchange} broke: {_kind(error)}.") from None
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            # It parses answers without looking at their shape first.
            raise FeedLostError(
                f"{exchange} answered what CCXT can't understand: {_kind(error)}."
            ) from None

    def require_list(self, exchange: str, rows: Any) -> None:
        if not isinstance(rows, list):
            raise FeedLostError(f"{exchange} answered what isn't a list of trades.")

    def _meant(self, exchange: str, error: Exception) -> FeedError:
        errors = self._errors
        text = f"{exchange} says {_kind(error)}."
        if isinstance(error, (errors.RateLimitExceeded, errors.DDoSProtection)):
            return FeedThrottledError(text, _THROTTLE_PAUSE_S)
        if isinstance(
            error,
            (
                errors.AuthenticationError,
                errors.BadSymbol,
                errors.NotSupported,
                errors.RestrictedLocation,
            ),
        ):
            return FeedRefusedError(text)
        return FeedLostError(text)


def _kind(error: Exception) -> str:
    return type(error).__name__


def _elsewhere(urls: Any, url: str) -> Any:
    """CCXT's table of addresses, with another host in each."""
    if isinstance(urls, dict):
        return {name: _elsewhere(inner, url) for name, inner in urls.items()}
    if not isinstance(urls, str):
        return urls
    base = url.rstrip("/")
    if urls.startswith("ws"):
        base = re.sub("^http", "ws", base)
    return _HOST.sub(base, urls)
