"""WebSocket connections to vendors, and their failures in our words."""

import contextlib
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)

_PING_S = 10.0
_MAX_FRAME_BYTES = 16 << 20
_THROTTLE_PAUSE_S = 10.0


def refused_by_status(vendor: str, status: int, retry_after: str | None) -> FeedError:
    """What an HTTP answer means that isn't the one hoped for."""
    text = f"{vendor} answered HTTP {status}."
    if status in (401, 403):
        return FeedRefusedError(text)
    if status == 429:
        given = retry_after or ""
        seconds = float(given) if given.isdecimal() else _THROTTLE_PAUSE_S
        return FeedThrottledError(text, min(seconds, 3600.0))
    return FeedLostError(text)


@contextlib.asynccontextmanager
async def connected(vendor: str, url: str, timeout_s: float) -> AsyncIterator[ClientConnection]:
    """A connection; whatever breaks it, here or in the body, becomes a FeedError."""
    try:
        async with connect(
            url,
            open_timeout=timeout_s,
            close_timeout=1.0,
            ping_interval=_PING_S,
            ping_timeout=_PING_S,
            max_size=_MAX_FRAME_BYTES,
        ) as socket:
            yield socket
    except InvalidStatus as error:
        response = error.response
        retry_after = response.headers.get("Retry-After")
        raise refused_by_status(vendor, response.status_code, retry_after) from None
    except TimeoutError:
        raise FeedLostError(f"{vendor} didn't answer within {timeout_s:g} s.") from None
    except (OSError, WebSocketException) as error:
        # The text may hold the URL, and that a token.
        raise FeedLostError(f"The connection to {vendor} broke: {type(error).__name__}.") from None
