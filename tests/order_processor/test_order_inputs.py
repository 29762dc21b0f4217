"""The two inputs of a shard, and in which order they meet."""

import asyncio

from redis.asyncio import Redis

from order_processor.shards.consumer import CommandEntry, CommandReader
from order_processor.shards.feed import INBOX_ENTRIES, FedEntry, Inbox, TapeFeed


def test_a_command_waits_for_the_tape_that_was_there_when_it_was_read(redis: Redis) -> None:
    reader = CommandReader(redis, 0, asyncio.Event(), batch=10)
    reader.waiting.extend(
        [
            CommandEntry("1-0", None, "5-0"),
            CommandEntry("2-0", None, "5-0"),
            CommandEntry("3-0", None, "9-0"),
        ]
    )
    assert reader.take(10, lambda entry: entry == "0-0") == []
    assert [each.id for each in reader.take(10, lambda entry: entry != "9-0")] == ["1-0", "2-0"]
    # Redis has lost the entry: a look at the tape says that nothing is left to wait for.
    reader.release()
    assert [each.id for each in reader.take(10, lambda entry: entry == "0-0")] == ["3-0"]


def test_a_shard_attaches_to_the_feed_only_when_it_has_caught_up(redis: Redis) -> None:
    feed = TapeFeed(redis)
    first, second = Inbox(asyncio.Event()), Inbox(asyncio.Event())
    assert feed.attach(first, "10-0")
    assert not feed.attach(second, "9-9")
    assert feed.attach(second, "9-9", at_end=True)
    feed.detach(first)
    feed.detach(second)
    assert feed.position is None


async def test_the_feed_waits_for_a_shard_that_is_full_and_not_for_one_that_left() -> None:
    inbox = Inbox(asyncio.Event())
    inbox.put([FedEntry(f"{number}-0", None) for number in range(INBOX_ENTRIES)])
    waiting = asyncio.create_task(inbox.room())
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    assert len(inbox.take(1)) == 1
    await asyncio.wait_for(waiting, 1)
    inbox.put([FedEntry("999-0", None)])
    waiting = asyncio.create_task(inbox.room())
    inbox.close()
    await asyncio.wait_for(waiting, 1)
