"""Snapshot, then frames; nothing missing, nothing twice."""

import asyncio
import json

from redis.asyncio import Redis

from shared.models.topics import CandlesTopic
from shared.redis.keys import topic_buffer, topic_channel
from shared.service.internal import internal_client
from tests.websocket_service.conftest import (
    NewPerson,
    Sources,
    Stream,
    encoded,
    publish,
    until,
)
from websocket_service.settings import WebsocketSettings
from websocket_service.snapshots import Snapshots

SPY = "candles.SPY.1m"


async def test_a_subscriber_gets_the_snapshot_and_then_every_frame_after_it(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 2)
    await publish(redis, SPY, 1, 2)
    async with stream.client(person().token()) as client:
        assert await client.subscribe(SPY) == [
            {
                "op": "snapshot",
                "topic": SPY,
                "seq": 2,
                "data": {"candles": [{"close": 2}], "forming": None},
            }
        ]
        await publish(redis, SPY, 3, 4)
        assert [await client.hear() for _ in range(2)] == [
            json.loads(encoded(SPY, seq)) for seq in (3, 4)
        ]
    assert sources.token == stream.settings.internal_token.get_secret_value()


async def test_frames_published_while_the_snapshot_is_fetched_are_not_lost(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 1)
    await publish(redis, SPY, 1)
    sources.open.clear()
    async with stream.client(person().token()) as client:
        await client.say("subscribe", topics=[SPY])

        async def asked() -> bool:
            return bool(sources.asked)

        await until(asked)
        await publish(redis, SPY, 2, 3)
        sources.open.set()
        heard = await client.hear_until(topic=SPY, seq=3)
    assert [message["seq"] for message in heard] == [1, 2, 3]
    assert heard[0]["op"] == "snapshot"


async def test_a_snapshot_newer_than_the_frames_swallows_them(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 3)
    async with stream.client(person().token()) as client:
        assert (await client.subscribe(SPY))[0]["seq"] == 3
        await publish(redis, SPY, 1, 2, 3, 4)
        assert (await client.hear())["seq"] == 4


async def test_a_snapshot_older_than_the_frames_is_completed_from_the_buffer(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 1)
    await publish(redis, SPY, 1, 2, 3)
    async with stream.client(person().token()) as client:
        await client.say("subscribe", topics=[SPY])
        heard = await client.hear_until(topic=SPY, seq=3)
    assert [message["seq"] for message in heard] == [1, 2, 3]


async def test_a_frame_published_twice_is_received_once(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await publish(redis, SPY, 1, 2)
        await publish(redis, SPY, 1, 2, 3)
        assert [(await client.hear())["seq"] for _ in range(3)] == [1, 2, 3]


async def test_many_clients_get_the_same_bytes(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    token = person().token()
    async with stream.client(token) as one, stream.client(token) as other:
        for client in (one, other):
            await client.subscribe(SPY)
        await publish(redis, SPY, 1)
        received = [await client.connection.recv(decode=False) for client in (one, other)]
    assert received == [encoded(SPY, 1)] * 2


async def test_a_returning_client_gets_exactly_what_it_missed(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    token = person().token()
    sources.candles("SPY", "1m", 0)
    async with stream.client(token) as client:
        await client.subscribe(SPY)
        await publish(redis, SPY, 1, 2)
        await client.hear_until(seq=2)
    await publish(redis, SPY, 3, 4, 5)
    async with stream.client(token) as client:
        await client.say("subscribe", topics=[SPY], resume={SPY: 2})
        assert await client.hear() == {"op": "resumed", "topic": SPY, "seq": 2}
        await publish(redis, SPY, 6)
        assert [(await client.hear())["seq"] for _ in range(4)] == [3, 4, 5, 6]
    assert len(sources.asked) == 1


async def test_a_client_that_was_away_for_too_long_gets_a_snapshot(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    await publish(redis, SPY, *range(1, 3001))
    sources.candles("SPY", "1m", 3000)
    async with stream.client(person().token()) as client:
        answers = await client.subscribe(SPY, resume={SPY: 7})
        assert (answers[0]["op"], answers[0]["seq"]) == ("snapshot", 3000)
        await publish(redis, SPY, 3001)
        assert (await client.hear())["seq"] == 3001


async def test_a_number_from_another_life_of_the_topic_is_answered_with_a_snapshot(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    await publish(redis, SPY, 1, 2)
    sources.candles("SPY", "1m", 2)
    async with stream.client(person().token()) as client:
        answers = await client.subscribe(SPY, resume={SPY: 900})
        assert (answers[0]["op"], answers[0]["seq"]) == ("snapshot", 2)
        await publish(redis, SPY, 3)
        assert (await client.hear())["seq"] == 3


async def test_subscribing_again_on_the_same_connection_resumes_there(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await publish(redis, SPY, 1, 2, 3)
        await client.hear_until(seq=3)
        await client.say("subscribe", topics=[SPY], resume={SPY: 1})
        heard = await client.hear_until(topic=SPY, seq=3)
        assert [message["seq"] for message in heard] == [1, 2, 3]
        await publish(redis, SPY, 4)
        assert (await client.hear())["seq"] == 4


async def test_a_frame_that_redis_did_not_push_comes_from_the_buffer(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await publish(redis, SPY, 1)
        await redis.xadd(topic_buffer(SPY), {"f": encoded(SPY, 2)}, id="2-0")
        await publish(redis, SPY, 3)
        assert [(await client.hear())["seq"] for _ in range(3)] == [1, 2, 3]


async def test_a_frame_that_is_nowhere_any_more_is_covered_by_a_new_snapshot(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await publish(redis, SPY, 1)
        assert (await client.hear())["seq"] == 1
        sources.candles("SPY", "1m", 3)
        await redis.delete(topic_buffer(SPY))
        await publish(redis, SPY, 3)
        answer = await client.hear()
        assert (answer["op"], answer["seq"]) == ("snapshot", 3)
        await publish(redis, SPY, 4)
        assert (await client.hear())["seq"] == 4


async def test_a_topic_that_counts_from_one_again_goes_on_with_a_snapshot(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 50)
    await publish(redis, SPY, 50)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await redis.delete(topic_buffer(SPY))  # as when Redis has lost its data
        sources.candles("SPY", "1m", 1)
        await publish(redis, SPY, 1)
        answer = await client.hear()
        assert (answer["op"], answer["seq"]) == ("snapshot", 1)
        await publish(redis, SPY, 2)
        assert (await client.hear())["seq"] == 2


async def test_what_happens_while_the_redis_connection_is_lost_arrives_after_it(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await publish(redis, SPY, 1)
        assert (await client.hear())["seq"] == 1
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await redis.xadd(topic_buffer(SPY), {"f": encoded(SPY, 2)}, id="2-0")
        # No frame follows that would show the gap: coming back must be enough.
        assert (await client.hear())["seq"] == 2
        await publish(redis, SPY, 3)
        assert (await client.hear())["seq"] == 3


async def test_a_frame_that_is_no_frame_harms_nobody(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        await redis.publish(topic_channel(SPY), b"\xff not a frame")
        await publish(redis, SPY, 1)
        assert (await client.hear())["seq"] == 1


async def test_the_channel_is_given_up_with_the_last_client_and_taken_again_with_the_next(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    async def listeners() -> int:
        answer = await redis.pubsub_numsub(topic_channel(SPY))
        return int(answer[0][1])

    async def nobody_listens() -> bool:
        return await listeners() == 0

    sources.candles("SPY", "1m", 0)
    token = person().token()
    async with stream.client(token) as one, stream.client(token) as other:
        await one.subscribe(SPY)
        await other.subscribe(SPY)
        assert await listeners() == 1
        await one.say("unsubscribe", topics=[SPY])
        assert await one.hear() == {"op": "unsubscribed", "topic": SPY}
        await publish(redis, SPY, 1)
        assert (await other.hear())["seq"] == 1
        await other.say("unsubscribe", topics=[SPY])
        await other.hear()
        await until(nobody_listens)
        sources.candles("SPY", "1m", 1)
        await other.subscribe(SPY)
        await publish(redis, SPY, 2)
        assert (await other.hear())["seq"] == 2
        await one.say("ping")
        assert await one.hear() == {"op": "pong"}
    await until(nobody_listens)


async def test_leaving_and_coming_back_at_once_loses_nothing(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    async with stream.client(person().token()) as client:
        await client.subscribe(SPY)
        for seq in range(1, 20):
            await client.say("unsubscribe", topics=[SPY])
            sources.candles("SPY", "1m", seq - 1)
            await client.say("subscribe", topics=[SPY])
            await client.hear_until(op="snapshot")
            await publish(redis, SPY, seq)
            assert (await client.hear())["seq"] == seq


async def test_market_time_begins_with_its_last_mark(
    stream: Stream, person: NewPerson, redis: Redis
) -> None:
    async with stream.client(person().token()) as client:
        first = {"op": "snapshot", "topic": "time", "seq": 0, "data": None}
        assert await client.subscribe("time") == [first]
        await publish(redis, "time", 1)
        await client.hear()
    async with stream.client(person().token()) as client:
        answer = (await client.subscribe("time"))[0]
        assert (answer["seq"], answer["data"]["n"]) == (1, 1)


async def test_a_topic_without_a_source_is_refused_and_can_be_followed_later(
    stream: Stream, sources: Sources, person: NewPerson, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 0)
    sources.broken = True
    async with stream.client(person().token()) as client:
        answer = (await client.subscribe(SPY))[0]
        assert (answer["op"], answer["code"], answer["topic"]) == (
            "error",
            "temporarily_unavailable",
            SPY,
        )
        await publish(redis, SPY, 1)
        sources.broken = False
        sources.candles("SPY", "1m", 1)
        assert (await client.subscribe(SPY))[0]["seq"] == 1


async def test_those_who_ask_for_a_snapshot_at_the_same_time_share_one(
    sources: Sources, stream_settings: WebsocketSettings, redis: Redis
) -> None:
    sources.candles("SPY", "1m", 7)
    async with internal_client(stream_settings, stream_settings.market_data_url) as http:
        snapshots = Snapshots(redis, http, http)
        crowd = [snapshots.fetch(SPY, CandlesTopic("SPY", "1m")) for _ in range(20)]
        assert {snapshot.seq for snapshot in await asyncio.gather(*crowd)} == {7}
        assert len(sources.asked) == 1
        await snapshots.fetch(SPY, CandlesTopic("SPY", "1m"))
        assert len(sources.asked) == 2
