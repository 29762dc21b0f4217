"""One Redis connection for the channels of all topics that are followed here.

Every confirmation of a subscription, also the ones after a lost connection, is reported:
what was published before it may have been missed.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

log = structlog.get_logger()

_RECONNECT_AFTER_S = 0.2
#: A connection that says nothing for this long, not even to the pings meanwhile, is broken.
_SILENCE_S = 15.0
#: Messages taken in before other tasks get their turn.
_BURST = 64


class Channels:
    """`on_frame(channel, body)` and `on_subscribed(channel)` must not block."""

    def __init__(
        self,
        redis: Redis,
        on_frame: Callable[[bytes, bytes], None],
        on_subscribed: Callable[[bytes], None],
        *,
        silence_s: float = _SILENCE_S,
    ) -> None:
        self._redis = redis
        self._silence_s = silence_s
        self._on_frame = on_frame
        self._on_subscribed = on_subscribed
        self._wanted: set[str] = set()
        #: What Redis was asked to send on the present connection.
        self._asked: set[str] = set()
        self._changed = asyncio.Event()

    def subscribe(self, channel: str) -> None:
        """A confirmation follows, also when the channel was dropped only a moment ago."""
        self._wanted.add(channel)
        self._asked.discard(channel)
        self._changed.set()

    def unsubscribe(self, channel: str) -> None:
        self._wanted.discard(channel)
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled: connects, and connects again when the connection is lost."""
        while True:
            try:
                await self._serve_connection()
            except (RedisError, OSError) as error:
                log.warning("redis_channels_lost", error=repr(error))
                await asyncio.sleep(_RECONNECT_AFTER_S)

    async def _serve_connection(self) -> None:
        async with self._redis.pubsub() as pubsub:
            self._asked = set()
            # A pub/sub connection without any subscription has nothing to wait for.
            await self._changed.wait()
            await self._ask(pubsub)
            asking = asyncio.create_task(self._keep_asking(pubsub), name="channels-ask")
            try:
                await self._read(pubsub)
            finally:
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError, RedisError, OSError):
                    await asking

    async def _keep_asking(self, pubsub: PubSub) -> None:
        while True:
            await self._changed.wait()
            await self._ask(pubsub)

    async def _ask(self, pubsub: PubSub) -> None:
        """Bring what Redis sends in line with what is wanted."""
        self._changed.clear()
        new, old = self._wanted - self._asked, self._asked - self._wanted
        self._asked = set(self._wanted)
        try:
            if new:
                await pubsub.subscribe(*new)
            if old:
                await pubsub.unsubscribe(*old)
        except BaseException:
            self._changed.set()  # the next connection asks for all of it
            raise

    async def _read(self, pubsub: PubSub) -> None:
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        burst = 0
        while True:
            message = await pubsub.get_message(timeout=self._silence_s / 3)
            if message is None:
                if not pubsub.subscribed:
                    heard_at = loop.time()  # nothing is followed, so silence tells nothing
                elif loop.time() - heard_at > self._silence_s:
                    raise RedisConnectionError("Redis does not answer on the channels' connection")
                else:
                    await pubsub.ping()
                continue
            heard_at = loop.time()
            if message["type"] == "message":
                self._on_frame(message["channel"], message["data"])
            elif message["type"] == "subscribe":
                self._on_subscribed(message["channel"])
            burst += 1
            if burst % _BURST == 0:
                await asyncio.sleep(0)
