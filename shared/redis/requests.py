"""Sending order commands and waiting for their answers.

A command is durable once it is on the stream; its answer comes on a channel of the asking
process, after the commit. When no answer comes in time the outcome is unknown, and asking
again with the same client order id is always safe.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from shared.models.base import NOT_DECODABLE, encode
from shared.models.orders import Command, Reply
from shared.redis.keys import order_commands, replies, shard_of
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

_replies_decoder = msgspec.json.Decoder(list[Reply])
_bodies_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_RESUBSCRIBE_PAUSE_S = 0.2
#: Of one message on a reply channel.
_REPLIES_AT_ONCE = 100


class AnswerOverdueError(Exception):
    """No answer before the deadline. The command may still be carried out: ask again."""


def encode_replies(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Encoded replies as messages for the channel of who asked: lists, which cost one process a
    fraction of what a message each would."""
    for first in range(0, len(bodies), _REPLIES_AT_ONCE):
        yield b"[%b]" % b",".join(bodies[first : first + _REPLIES_AT_ONCE])


def _understood(message: bytes) -> list[Reply]:
    """One reply that isn't understood doesn't cost the others of its message."""
    try:
        replies: list[Reply] = _replies_decoder.decode(message)
    except NOT_DECODABLE as error:
        log.error("reply_not_understood", error=repr(error))
    else:
        return replies
    understood: list[Reply] = []
    with contextlib.suppress(*NOT_DECODABLE):
        for body in _bodies_decoder.decode(message):
            with contextlib.suppress(*NOT_DECODABLE):
                understood += _replies_decoder.decode(b"[%b]" % bytes(body))
    return understood


class OrderRequests:
    """One asking process: many requests under way at once, one reply channel."""

    def __init__(self, redis: Redis, shards: int) -> None:
        self._redis = redis
        self._shards = shards
        #: Who waits, by request id.
        self._waiting: dict[str, set[asyncio.Future[Reply]]] = {}
        #: Commands to be sent (stream, body, told when it was), and who sends them.
        self._outbox: list[tuple[str, bytes, asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None
        #: Put this into the `reply_to` of every command.
        self.reply_to = replies(uuid4().hex)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Receive answers while the block runs. Raises a redis error when it can't begin."""
        pubsub = await self._subscribe()
        task = asyncio.create_task(self._receive_always(pubsub), name="order-replies")
        try:
            yield
        finally:
            await end_tasks([task])
            if self._sending is not None:
                await self._sending

    async def ask(self, command: Command, timeout_s: float) -> Reply:
        """Send `command` and wait; raises AnswerOverdueError, or a redis error if it can't be sent.

        Several askers of one request id (a client's retry) all get the answer.
        """
        stream = order_commands(shard_of(command.account_id, self._shards))
        with self._awaiting([command.request_id]) as futures:
            await self._send(stream, encode(command))
            try:
                return await asyncio.wait_for(futures[command.request_id], timeout_s)
            except TimeoutError as error:
                raise AnswerOverdueError(command.request_id) from error

    async def _send(self, stream: str, body: bytes) -> None:
        """Commands that come while others are being sent go together, in their order: one round
        trip for all of them. Raises a redis error when it is unknown whether it was sent."""
        sent = asyncio.get_running_loop().create_future()
        self._outbox.append((stream, body, sent))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_outbox(), name="order-commands")
        await sent

    async def _send_outbox(self) -> None:
        try:
            while self._outbox:
                outbox, self._outbox = self._outbox, []
                pipeline = self._redis.pipeline(transaction=False)
                for stream, body, _ in outbox:
                    pipeline.xadd(stream, {"b": body})
                try:
                    results = await pipeline.execute(raise_on_error=False)
                except Exception as error:  # noqa: BLE001 - each who asked is told
                    results = [error] * len(outbox)
                for (_, _, sent), result in zip(outbox, results, strict=True):
                    if sent.done():
                        continue  # who asked has given up
                    if isinstance(result, Exception):
                        sent.set_exception(result)
                    else:
                        sent.set_result(None)
        finally:
            self._sending = None

    async def ask_all(self, commands: Sequence[Command], timeout_s: float) -> dict[str, Reply]:
        """Send commands, in order and in one round trip.

        Returns the answers that came in time, by request id. Commands of one account are carried
        out in this order. Raises a redis error when it is unknown which of them were sent.
        Request ids must differ.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            stream = order_commands(shard_of(command.account_id, self._shards))
            pipeline.xadd(stream, {"b": encode(command)})
        with self._awaiting([command.request_id for command in commands]) as futures:
            await pipeline.execute()
            await asyncio.wait(futures.values(), timeout=timeout_s)
            return {
                request_id: future.result()
                for request_id, future in futures.items()
                if future.done()
            }

    @contextlib.contextmanager
    def _awaiting(self, request_ids: Sequence[str]) -> Iterator[dict[str, asyncio.Future[Reply]]]:
        loop = asyncio.get_running_loop()
        futures = {request_id: loop.create_future() for request_id in request_ids}
        for request_id, future in futures.items():
            self._waiting.setdefault(request_id, set()).add(future)
        try:
            yield futures
        finally:
            for request_id, future in futures.items():
                others = self._waiting[request_id]
                others.discard(future)
                if not others:
                    del self._waiting[request_id]

    async def _subscribe(self) -> PubSub:
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(self.reply_to)
        except BaseException:
            await pubsub.aclose()  # type: ignore[no-untyped-call]
            raise
        return pubsub

    async def _receive_always(self, pubsub: PubSub) -> None:
        """Answers published while Redis is away are lost; those who wait for them ask again."""
        try:
            while True:
                try:
                    await self._receive(pubsub)
                    raise RedisConnectionError("the subscription has ended")
                except Exception as error:  # noqa: BLE001 - deaf, all orders would be without answers
                    log.warning("reply_channel_lost", error=repr(error))
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
                    pubsub = await self._subscribe_again()
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _subscribe_again(self) -> PubSub:
        while True:
            try:
                return await self._subscribe()
            except (RedisError, OSError):
                await asyncio.sleep(_RESUBSCRIBE_PAUSE_S)

    async def _receive(self, pubsub: PubSub) -> None:
        async for message in pubsub.listen():
            for reply in _understood(message["data"]):
                for future in self._waiting.get(reply.request_id, ()):
                    if not future.done():
                        future.set_result(reply)
