"""Asking the order processor: answers find their asker, also after Redis was away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from cli.embedded.servers import free_port
from shared.config import Settings
from shared.models.base import encode
from shared.models.identifiers import AccountId
from shared.models.orders import BooksReply, Command, OpenBooks
from shared.redis import make_redis
from shared.redis.keys import order_commands
from shared.redis.requests import AnswerOverdueError, OrderRequests, encode_replies
from shared.redis.streams import read_after
from shared.utils.tasks import end_tasks

_decoder = msgspec.json.Decoder(Command)


@contextlib.asynccontextmanager
async def answering(redis: Redis, stream: str) -> AsyncIterator[None]:
    """A consumer that answers every command with its cash."""

    async def consume() -> None:
        cursor = "0-0"
        while True:
            for entry in await read_after(redis, stream, cursor, count=10, block_ms=200):
                cursor = entry.id
                command = _decoder.decode(entry.fields[b"b"])
                reply = BooksReply(request_id=command.request_id, cash=Decimal("5.50"))
                await redis.publish(command.reply_to, encode([reply]))

    task = asyncio.create_task(consume())
    try:
        yield
    finally:
        await end_tasks([task])


def open_books(requests: OrderRequests) -> OpenBooks:
    return OpenBooks(
        request_id=uuid4().hex,
        reply_to=requests.reply_to,
        account_id=AccountId(uuid4()),
        mode="paper",
    )


async def answered_within(requests: OrderRequests, timeout_s: float) -> bool:
    try:
        return bool(await requests.ask(open_books(requests), timeout_s))
    except AnswerOverdueError:
        return False


async def test_an_answer_reaches_the_one_who_asked(redis: Redis) -> None:
    requests = OrderRequests(redis, shards=1)
    async with answering(redis, order_commands(0)), requests.listening():
        commands = [open_books(requests) for _ in range(5)]
        replies = await asyncio.gather(*(requests.ask(command, 5) for command in commands))
    assert [reply.request_id for reply in replies] == [c.request_id for c in commands]


async def test_no_answer_in_time_is_told_as_overdue_and_the_command_stays(redis: Redis) -> None:
    requests = OrderRequests(redis, shards=1)
    async with requests.listening():
        with pytest.raises(AnswerOverdueError):
            await requests.ask(open_books(requests), 0.05)
    assert await redis.xlen(order_commands(0)) == 1


async def test_whoever_gives_up_leaves_the_answer_to_others_who_ask_the_same(redis: Redis) -> None:
    requests = OrderRequests(redis, shards=1)
    command = open_books(requests)
    async with requests.listening():
        patient = asyncio.create_task(requests.ask(command, 5))
        with pytest.raises(AnswerOverdueError):
            await requests.ask(command, 0.1)
        reply = BooksReply(request_id=command.request_id, cash=Decimal(1))
        await redis.publish(requests.reply_to, encode([reply]))
        assert await patient == reply


async def test_answers_arrive_again_after_the_connection_broke(
    settings: Settings, redis: Redis
) -> None:
    client = make_redis(settings)
    requests = OrderRequests(client, shards=1)
    async with answering(redis, order_commands(0)), requests.listening():
        await redis.client_kill_filter(_type="pubsub")

        async with asyncio.timeout(40):
            while not await answered_within(requests, 0.5):
                pass
    await client.aclose()


async def test_a_reply_that_can_not_be_read_does_not_stop_the_others(redis: Redis) -> None:
    requests = OrderRequests(redis, shards=1)
    async with answering(redis, order_commands(0)), requests.listening():
        not_utf_8 = b'[{"type":"refusal","request_id":"\xff"}]'
        for message in (
            b'{"type":"something else"}', b"[", b'["', b"\xff", b"[7]", b"[" * 100_000, not_utf_8
        ):  # fmt: skip
            await redis.publish(requests.reply_to, message)
        assert await requests.ask(open_books(requests), 5)


async def test_commands_that_are_asked_at_once_are_sent_in_their_order(redis: Redis) -> None:
    requests = OrderRequests(redis, shards=1)
    commands = [open_books(requests) for _ in range(40)]
    async with answering(redis, order_commands(0)), requests.listening():
        await asyncio.gather(*(requests.ask(command, 5) for command in commands))
    sent = await read_after(redis, order_commands(0), "0-0", count=100, block_ms=None)
    assert [fields[b"b"] for _, fields in sent] == [encode(command) for command in commands]


async def test_when_redis_is_away_each_who_asks_at_once_is_told(settings: Settings) -> None:
    client = make_redis(settings.model_copy(update={"redis_port": free_port()}))
    requests = OrderRequests(client, shards=1)
    asking = [requests.ask(open_books(requests), 5) for _ in range(3)]
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(error, RedisError) for error in told] == [True] * 3
    await client.aclose()


async def test_a_reply_that_can_not_be_read_does_not_cost_those_of_its_list(redis: Redis) -> None:
    requests = OrderRequests(redis, shards=1)
    command = open_books(requests)
    async with requests.listening():
        asking = asyncio.create_task(requests.ask(command, 5))
        assert await read_after(redis, order_commands(0), "0-0", count=1, block_ms=5000)
        reply = BooksReply(request_id=command.request_id, cash=Decimal(1))
        [message] = encode_replies([b'{"type":"of a later version"}', encode(reply)])
        await redis.publish(requests.reply_to, message)
        assert await asking == reply


def test_many_replies_go_in_messages_of_bounded_size() -> None:
    bodies = [b"%d" % number for number in range(250)]
    messages = [msgspec.json.decode(message) for message in encode_replies(bodies)]
    assert [len(message) for message in messages] == [100, 100, 50]
    assert [number for message in messages for number in message] == list(range(250))
