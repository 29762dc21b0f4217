"""Redis connections, made in one place with the operator's bounds."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.config import Settings


class CancellableConnection(Connection):
    """A connection in whose use a task can be cancelled.

    redis-py sends inside `asyncio.wait_for`, which on Python 3.11 loses a cancellation that
    comes just when the sending is done (https://github.com/python/cpython/issues/86296). A loop
    around a blocking read would then go on for ever.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        task = asyncio.current_task()
        wanted_before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > wanted_before:
            # The answer will not be read: nobody may use this connection again.
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


def make_redis(settings: Settings) -> Redis:
    """Bytes in, bytes out. Connects at first use; a broken connection is retried briefly.

    When all connections are in use, a command waits for one, at most the socket's time.
    Commands that may wait (`XREAD BLOCK`) must block for less than `redis_socket_timeout_s`.
    """
    password = settings.redis_password
    common: dict[str, Any] = {
        "password": None if password is None else password.get_secret_value(),
        "socket_timeout": settings.redis_socket_timeout_s,
        "socket_connect_timeout": settings.redis_socket_timeout_s,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=3),
        "health_check_interval": 15,
    }
    if settings.redis_cluster:
        from shared.redis.cluster import make_cluster

        # The same operations on the same keys: what a cluster can't do is not used.
        return cast("Redis", make_cluster(settings, CancellableConnection, **common))
    pool = BlockingConnectionPool(
        connection_class=CancellableConnection,
        host=settings.redis_host,
        port=settings.redis_port,
        max_connections=settings.redis_max_connections,
        timeout=settings.redis_socket_timeout_s,
        retry_on_error=[RedisConnectionError],
        **common,
    )
    return Redis.from_pool(pool)
