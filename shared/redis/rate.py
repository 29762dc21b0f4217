"""How often somebody may do something, counted for all processes together."""

from typing import TYPE_CHECKING

from shared.redis import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RateLimit:
    """`limit` times in each window of `window_s`, which begins with the first of them."""

    def __init__(self, redis: "Redis", name: str, limit: int, window_s: int) -> None:
        self._redis = redis
        self._name = name
        self._limit = limit
        self._window_s = window_s

    async def wait_s(self, who: str) -> int | None:
        """Count one more; None when it may be done, else after how many seconds again.

        What is refused counts too, but doesn't make the window longer.
        """
        key = keys.rate(self._name, who)
        async with self._redis.pipeline(transaction=True) as steps:
            steps.set(key, 0, ex=self._window_s, nx=True)
            steps.incr(key)
            steps.ttl(key)
            _, count, left_s = await steps.execute()
        return None if count <= self._limit else max(1, left_s)
