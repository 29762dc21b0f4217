"""A client's subscription and its return, with topics on the nodes of a Redis Cluster."""

import pytest

from shared.config import Settings
from shared.redis import make_redis
from tests.websocket_service.conftest import NewPerson, Sources, Stream, publish
from websocket_service.settings import WebsocketSettings
from websocket_service.wiring import running_server

_SYMBOLS = ("AAPL", "MSFT", "AMZN")


@pytest.fixture
def clustered(stream_settings: WebsocketSettings, cluster_settings: Settings) -> WebsocketSettings:
    where = {"redis_cluster": True, "redis_port": cluster_settings.redis_port}
    return stream_settings.model_copy(update=where)


async def test_a_client_that_returns_is_given_what_it_missed(
    clustered: WebsocketSettings, sources: Sources, person: NewPerson
) -> None:
    redis = make_redis(clustered)
    topics = [f"candles.{symbol}.1m" for symbol in _SYMBOLS]
    trader, stream = person(), Stream(clustered)
    for symbol, topic in zip(_SYMBOLS, topics, strict=True):
        await publish(redis, topic, 1, 2)
        sources.candles(symbol, "1m", 2)
    async with running_server(clustered):
        async with stream.client(trader.token()) as client:
            for opened in await client.subscribe(*topics):
                assert (opened["op"], opened["seq"]) == ("snapshot", 2)
            for topic in topics:
                await publish(redis, topic, 3)
            heard = [await client.hear() for _ in topics]
            assert {(frame["topic"], frame["seq"]) for frame in heard} == {
                (topic, 3) for topic in topics
            }
        for topic in topics:
            await publish(redis, topic, 4, 5)
        async with stream.client(trader.token()) as client:
            await client.say("subscribe", topics=topics, resume=dict.fromkeys(topics, 3))
            heard = [await client.hear() for _ in range(3 * len(topics))]
            for topic in topics:
                mine = [message for message in heard if message["topic"] == topic]
                assert mine[0] == {"op": "resumed", "topic": topic, "seq": 3}
                assert [frame["seq"] for frame in mine[1:]] == [4, 5]
    await redis.aclose()
