"""Against three real nodes: what the services do with Redis, they can do with a cluster."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from cli.embedded.servers import free_port
from shared.config import Settings
from shared.models.market import RunStarted, TimeMark
from shared.redis import make_redis, tape, topics
from shared.redis.client import CancellableConnection
from shared.redis.cluster import answers_in_order
from shared.redis.keys import TAPE_ACKS, TAPE_COMMITTED, TAPE_PARTICIPANTS, topic_buffer
from shared.redis.tape_writer import TapeTakenError, TapeWriter

#: On different nodes each.
_TOPICS = ("candles.AAPL.1m", "candles.MSFT.1m", "candles.AMZN.1m", "time")


@pytest.fixture
async def cluster(cluster_settings: Settings) -> AsyncIterator[Redis]:
    client = make_redis(cluster_settings)
    yield client
    await client.aclose()


async def test_the_topics_of_these_tests_are_on_all_nodes(cluster: Redis) -> None:
    await topics.publish_frames(cluster, [(topic, 1, b"{}") for topic in _TOPICS])
    owners = {
        cluster.get_node_from_key(topic_buffer(topic)).port  # type: ignore[attr-defined]
        for topic in _TOPICS
    }
    assert len(owners) == 3
    assert not answers_in_order(cluster)


async def test_frames_of_topics_on_all_nodes_are_pushed_in_order_and_kept(
    cluster: Redis,
) -> None:
    pubsub = cluster.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(*(f"topic:{{{topic}}}" for topic in _TOPICS))
    for _ in _TOPICS:
        await pubsub.get_message(timeout=5)
    frames = [(topic, seq, b"%d" % seq) for seq in range(1, 31) for topic in _TOPICS]
    await topics.publish_frames(cluster, frames)
    await topics.publish_frames(cluster, frames[-4:])  # once more, as after a crash
    heard: dict[bytes, list[bytes]] = {}
    for _ in range(len(frames) + 4):
        message = await pubsub.get_message(timeout=5)
        assert message is not None
        heard.setdefault(message["channel"], []).append(message["data"])
    await pubsub.aclose()
    expected = [b"%d" % seq for seq in [*range(1, 31), 30]]
    assert heard == {f"topic:{{{topic}}}".encode(): expected for topic in _TOPICS}
    found, silent = await topics.frames_after_each(cluster, dict.fromkeys(_TOPICS, 20))
    assert silent == set()
    assert all([seq for seq, _ in frames or []] == list(range(21, 31)) for frames in found.values())


async def test_a_paced_run_waits_for_all_who_take_part(cluster: Redis) -> None:
    pen, pacer = TapeWriter(cluster), tape.Pacer(cluster, {"orders:0": "market"})
    await pacer.begin("run")
    await pen.open()
    mark = TimeMark(number=1, at_ns=1, phase="market", paced=True, run_id="run")
    await pen.write(
        [RunStarted(run_id="run", source="replay", paced=True), mark],
        [(topic, 1, b"{}") for topic in _TOPICS],
    )
    await tape.join(cluster, "orders:1", "market")
    await tape.join(cluster, "client:1", "observe")
    waiting = asyncio.create_task(pacer.wait("market", 1))
    end = await tape.end_of_tape(cluster)
    await tape.acknowledge(cluster, ["orders:0"], mark, "market", committed=end)
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await tape.acknowledge(cluster, ["orders:1"], mark, "market", committed=end)
    await asyncio.wait_for(waiting, 10)
    assert await pacer.missing("observe", 1) == {"client:1"}
    await tape.leave(cluster, "client:1")
    assert await pacer.missing("observe", 1) == set()
    await pacer.trim()
    assert [entry.kind for entry in await tape.read(cluster, "0-0", block_ms=None)][-1] == "mark"
    assert await cluster.exists(TAPE_ACKS, TAPE_COMMITTED, TAPE_PARTICIPANTS) == 3


async def test_an_overtaken_engine_is_refused(cluster: Redis) -> None:
    first, second = TapeWriter(cluster), TapeWriter(cluster)
    started = RunStarted(run_id="run", source="replay", paced=True)
    await first.open()
    await first.write([started])
    await second.open()
    await second.write([started])
    with pytest.raises(TapeTakenError):
        await first.write([started])


async def test_connections_to_all_nodes_can_be_cancelled(cluster: Redis) -> None:
    await cluster.ping()
    nodes = cluster.get_nodes()  # type: ignore[attr-defined]
    assert {node.connection_class for node in nodes} == {CancellableConnection}


@pytest.fixture
def nobody() -> Settings:
    return Settings(
        _env_file=None,
        environment="test",
        redis_cluster=True,
        redis_port=free_port(),
        redis_password=SecretStr("-"),
    )


async def test_a_cluster_that_is_away_is_told_as_any_redis_that_is_away(nobody: Settings) -> None:
    client = make_redis(nobody)
    with pytest.raises(RedisConnectionError):
        await client.get("key")
    with pytest.raises(RedisConnectionError):
        await topics.publish_frames(client, [("time", 1, b"{}")])
    with pytest.raises(RedisConnectionError):
        await client.pubsub().subscribe("channel")
    await client.aclose()
