"""Topics that clients here follow, brought from Redis and kept without gaps.

Joining a topic: the channel first, then the snapshot (or the resumed position), then what came
after it, so nothing falls between. A number that is not the next one starts a repair: what is
missing comes from the topic's buffer or, where that doesn't reach back, each client gets a new
snapshot. A lost Redis connection ends in the same repair.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.models.base import NOT_DECODABLE
from shared.models.frames import FrameHead
from shared.models.topics import AccountTopic, NotificationsTopic, Topic
from shared.redis.keys import topic_channel
from shared.redis.topics import frames_after, last_seq
from websocket_service import metrics
from websocket_service.channels import Channels
from websocket_service.client import Client, deliver
from websocket_service.errors import SubscriptionRefusedError, unavailable
from websocket_service.protocol import Refused, error_message, resumed_message
from websocket_service.snapshots import Snapshots
from websocket_service.topic_stream import Frame, TopicStream

log = structlog.get_logger()

_head_decoder = msgspec.json.Decoder(FrameHead)

#: For Redis to confirm a subscription; then the client is told to try again.
_READY_TIMEOUT_S = 5.0
_RETRY_AFTER_S = 0.5
#: Snapshots that were too old for the buffer, before the client is told to try again.
_JOIN_ATTEMPTS = 3


@dataclass
class _Followed:
    topic: Topic
    stream: TopicStream[Client]
    #: The channel is subscribed and the position known.
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    repair: asyncio.Task[None] | None = None


class Hub:
    def __init__(self, redis: Redis, snapshots: Snapshots) -> None:
        self._redis = redis
        self._snapshots = snapshots
        self._channels = Channels(redis, self._on_frame, self._on_subscribed)
        self._followed: dict[str, _Followed] = {}
        self._names: dict[bytes, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._channels.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- clients come and go -----------------------------------------------------------------

    async def join(self, client: Client, name: str, topic: Topic, resume: int | None) -> None:
        """Send what the client must have of the topic by now; from here on it gets all frames.

        `resume` is the number of the last frame it has. Raises SubscriptionRefusedError, and
        then the client doesn't follow the topic.
        """
        followed = self._follow(name, topic)
        try:
            followed.stream.begin(client)
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await followed.ready.wait()
            if resume is None or not await self._resume(followed, client, resume):
                await self._begin_with_snapshot(followed, client)
        except (TimeoutError, RedisError) as error:
            self.leave(client, name)
            log.warning("subscription_unavailable", topic=name, error=repr(error))
            raise unavailable() from error
        except BaseException:
            self.leave(client, name)
            raise

    def leave(self, client: Client, name: str) -> None:
        followed = self._followed.get(name)
        if followed is None:
            return
        followed.stream.leave(client)
        if followed.stream.unused:
            self._forget(followed)

    def _follow(self, name: str, topic: Topic) -> _Followed:
        followed = self._followed.get(name)
        if followed is None:
            kept = isinstance(topic, NotificationsTopic) or (
                isinstance(topic, AccountTopic) and topic.kind != "equity"
            )
            followed = _Followed(topic, TopicStream(name, partial(deliver, name, not kept)))
            self._followed[name] = followed
            channel = topic_channel(name)
            self._names[channel.encode()] = name
            self._channels.subscribe(channel)
            metrics.TOPICS.set(len(self._followed))
        return followed

    def _forget(self, followed: _Followed) -> None:
        name = followed.stream.name
        del self._followed[name]
        channel = topic_channel(name)
        del self._names[channel.encode()]
        self._channels.unsubscribe(channel)
        if followed.repair is not None:
            followed.repair.cancel()
        metrics.TOPICS.set(len(self._followed))

    async def _resume(self, followed: _Followed, client: Client, position: int) -> bool:
        stream = followed.stream
        if await last_seq(self._redis, stream.name) < position:
            return False  # numbers of another life of the topic
        missed = await frames_after(self._redis, stream.name, position)
        if missed is None:
            return False
        if not _settle(stream, client, position, missed, resumed_message(stream.name, position)):
            return False
        metrics.RESUMES.inc()
        return True

    async def _begin_with_snapshot(self, followed: _Followed, client: Client) -> None:
        stream = followed.stream
        for _ in range(_JOIN_ATTEMPTS):
            snapshot = await self._snapshots.fetch(stream.name, followed.topic)
            missed: list[tuple[int, bytes]] | None = []
            if stream.seq is not None and snapshot.seq < stream.seq:
                missed = await frames_after(self._redis, stream.name, snapshot.seq)
            if missed is not None and _settle(
                stream, client, snapshot.seq, missed, snapshot.message
            ):
                metrics.SNAPSHOTS.inc()
                return
            stream.begin(client)
        raise unavailable()

    # --- frames ------------------------------------------------------------------------------

    def _on_frame(self, channel: bytes, body: bytes) -> None:
        name = self._names.get(channel)
        if name is None:
            return  # the last client has just left
        metrics.FRAMES_IN.inc()
        try:
            head = _head_decoder.decode(body)
        except NOT_DECODABLE as error:
            log.error("frame_not_understood", topic=name, error=str(error))
            return
        followed = self._followed[name]
        routed = followed.stream.route(Frame(head.seq, body))
        if routed == "repeated":
            # Published twice, or numbered anew after Redis lost its data: the buffer tells.
            metrics.REPEATED.inc()
        if routed != "routed" and followed.ready.is_set():
            self._repair(followed)

    def _on_subscribed(self, channel: bytes) -> None:
        name = self._names.get(channel)
        if name is not None:
            self._repair(self._followed[name])

    def _repair(self, followed: _Followed) -> None:
        if followed.repair is None:
            followed.repair = self._spawn(self._catch_up(followed))

    async def _catch_up(self, followed: _Followed) -> None:
        """Bring the topic in line with its buffer; tries as long as anybody follows it."""
        stream = followed.stream
        try:
            while True:
                try:
                    await self._catch_up_once(followed)
                except RedisError as error:
                    log.warning("topic_not_readable", topic=stream.name, error=repr(error))
                    await asyncio.sleep(_RETRY_AFTER_S)
                    continue
                if stream.seq is not None and stream.highest <= stream.seq:
                    return
        finally:
            followed.repair = None

    async def _catch_up_once(self, followed: _Followed) -> None:
        stream = followed.stream
        wanted = stream.highest
        newest = await last_seq(self._redis, stream.name)
        if stream.seq is None:
            stream.seq = newest
            followed.ready.set()
            return
        missed = None
        if newest >= stream.seq:
            missed = await frames_after(self._redis, stream.name, stream.seq)
        if missed:
            metrics.GAPS.inc()
        for seq, body in missed or []:
            stream.route(Frame(seq, body))
        if missed is None or stream.seq < wanted:
            self._begin_anew(followed, max(newest, wanted) if missed is not None else newest)

    def _begin_anew(self, followed: _Followed, seq: int) -> None:
        """The buffer can't tell what is missing: everybody gets a new snapshot."""
        log.warning("topic_begins_anew", topic=followed.stream.name, seq=seq)
        metrics.GAPS.inc()
        for client in followed.stream.restart(seq):
            followed.stream.begin(client)
            self._spawn(self._rejoin(followed, client))

    async def _rejoin(self, followed: _Followed, client: Client) -> None:
        name = followed.stream.name
        try:
            await self._begin_with_snapshot(followed, client)
        except (SubscriptionRefusedError, RedisError) as error:
            self.leave(client, name)
            problem = error if isinstance(error, SubscriptionRefusedError) else unavailable()
            client.send(error_message(Refused(problem.code, str(problem), name)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _settle(
    stream: TopicStream[Client],
    client: Client,
    position: int,
    missed: list[tuple[int, bytes]],
    opening: bytes,
) -> bool:
    """The opening message, then the frames after it; nothing when they would leave a gap."""
    frames = [Frame(seq, body) for seq, body in missed]
    if client not in stream.joining:
        return True  # it left in the meantime
    return stream.settle(client, position, frames, lambda: client.send(opening))
