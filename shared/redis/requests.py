"""Sending order commands and waiting for their answers.

A command is durable once it is on the stream; its answer comes on a channel of the asking
process, after the commit. When no answer comes in time the outcome is unknown, and asking
again with the same client order id is always safe.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from shared.models.base import encode
from shared.models.orders import Command, Reply
from shared.redis.keys import order_commands, replies, shard_of

_reply_decoder = msgspec.json.Decoder(Reply)


class AnswerOverdueError(Exception):
    """No answer before the deadline. The command may still be carried out: ask again."""


class OrderRequests:
    """One asking process: many requests under way at once, one reply channel."""

    def __init__(self, redis: Redis, shards: int) -> None:
        self._redis = redis
        self._shards = shards
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        #: Put this into the `reply_to` of every command.
        self.reply_to = replies(uuid4().hex)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Receive answers while the block runs."""
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        await pubsub.subscribe(self.reply_to)
        task = asyncio.create_task(self._receive(pubsub), name="order-replies")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def ask(self, command: Command, timeout_s: float) -> Reply:
        """Send `command` and wait; raises AnswerOverdueError, or a redis error if it can't be sent.

        Several askers of one request id (a client's retry) all get the answer.
        """
        future = self._waiting.get(command.request_id)
        if future is None or future.done():
            future = asyncio.get_running_loop().create_future()
            self._waiting[command.request_id] = future
        stream = order_commands(shard_of(command.account_id, self._shards))
        await self._redis.xadd(stream, {"b": encode(command)})
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError as error:
            raise AnswerOverdueError(command.request_id) from error
        finally:
            if self._waiting.get(command.request_id) is future:
                del self._waiting[command.request_id]

    async def _receive(self, pubsub: PubSub) -> None:
        async for message in pubsub.listen():
            reply = _reply_decoder.decode(message["data"])
            future = self._waiting.get(reply.request_id)
            if future is not None and not future.done():
                future.set_result(reply)
