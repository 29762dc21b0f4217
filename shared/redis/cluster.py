"""The client for a Redis Cluster, which behaves like the one for a single server.

What differs stays here. A pipeline is split by node: commands on one hash tag keep their order,
those on different tags have none (`answers_in_order`). Frames are published with the classic
PUBLISH, which every node passes on to all others.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterPipeline, ClusterPubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException

from shared.config import Settings


class _Pipeline(ClusterPipeline):
    def publish(  # type: ignore[override]
        self, channel: str, message: bytes
    ) -> "_Pipeline":
        """redis-py blocks `publish` in a cluster's pipelines, because any node would do. Sent to
        the channel's own slot it keeps its order with its topic's buffer."""
        self.execute_command("PUBLISH", channel, message)
        return self

    async def execute(
        self, raise_on_error: bool = True, allow_redirections: bool = True
    ) -> list[Any]:
        try:
            results: list[Any] = await super().execute(raise_on_error, allow_redirections)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error
        return [_as_redis_error(result) for result in results]


class _PubSub(ClusterPubSub):
    async def execute_command(self, *args: Any) -> Any:
        # Which node has the channel is known only then; redis-py would not ask.
        await self.cluster.initialize()
        try:
            return await super().execute_command(*args)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error


class ClusterRedis(RedisCluster):
    """Raises RedisConnectionError where redis-py has an error that is no RedisError."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*args, **options)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error

    async def initialize(self, *args: Any, **options: Any) -> "ClusterRedis":
        try:
            await super().initialize(*args, **options)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error
        return self

    def pipeline(self, transaction: Any = None) -> _Pipeline:  # type: ignore[override]
        """Never a transaction: it could not span nodes, and nobody asks for one."""
        assert not transaction
        return _Pipeline(self)  # type: ignore[abstract]  # one of its marker attributes

    def pubsub(self, **options: Any) -> _PubSub:  # type: ignore[override]
        return _PubSub(self, **options)


def _as_redis_error(result: Any) -> Any:
    if isinstance(result, RedisClusterException):
        return RedisConnectionError(str(result))
    return result


def make_cluster(settings: Settings, connection_class: type[Any], **options: Any) -> ClusterRedis:
    """Connects at first use, to any node, which tells of the others."""
    cluster = ClusterRedis(
        host=settings.redis_host,
        port=settings.redis_port,
        # As many to each node: which node has the busiest keys is not known.
        max_connections=settings.redis_max_connections,
        **options,
    )
    nodes: Sequence[Any] = list(cluster.nodes_manager.startup_nodes.values())
    for node in nodes:
        node.connection_class = connection_class
    cluster.nodes_manager.connection_kwargs["connection_class"] = connection_class
    return cluster


def answers_in_order(redis: Redis) -> bool:
    """Whether a pipeline's commands are carried out one after another, whatever their keys."""
    return not isinstance(redis, RedisCluster)
