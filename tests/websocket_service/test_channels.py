import asyncio
import contextlib

from redis.asyncio import Redis
from structlog.testing import capture_logs

from websocket_service.channels import Channels

_SILENCE_S = 0.15


async def test_a_connection_that_follows_nothing_is_not_taken_for_a_broken_one(
    redis: Redis,
) -> None:
    confirmed = asyncio.Event()
    channels = Channels(redis, lambda *_: None, lambda _: confirmed.set(), silence_s=_SILENCE_S)
    with capture_logs() as logs:
        running = asyncio.create_task(channels.run())
        try:
            for name in ("first", "second"):
                confirmed.clear()
                channels.subscribe(name)
                await asyncio.wait_for(confirmed.wait(), 5)
                channels.unsubscribe(name)
                # Nothing happens in this time: that is what is tested.
                await asyncio.sleep(4 * _SILENCE_S)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    assert logs == []
