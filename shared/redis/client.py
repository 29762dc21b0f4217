"""Redis connections, made in one place with the operator's bounds."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.config import Settings


def make_redis(settings: Settings) -> Redis:
    """Bytes in, bytes out. Connects at first use; a broken connection is retried briefly.

    When all connections are in use, a command waits for one, at most the socket's time.
    Commands that may wait (`XREAD BLOCK`) must block for less than `redis_socket_timeout_s`.
    """
    password = settings.redis_password
    pool = BlockingConnectionPool(
        host=settings.redis_host,
        port=settings.redis_port,
        password=None if password is None else password.get_secret_value(),
        max_connections=settings.redis_max_connections,
        timeout=settings.redis_socket_timeout_s,
        socket_timeout=settings.redis_socket_timeout_s,
        socket_connect_timeout=settings.redis_socket_timeout_s,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=3),
        retry_on_error=[RedisConnectionError],
        health_check_interval=15,
    )
    return Redis.from_pool(pool)
