from redis.asyncio import Redis

from shared.redis import keys
from shared.redis.rate import RateLimit


async def test_so_many_in_a_window_and_then_the_rest_of_it_is_waited_for(redis: Redis) -> None:
    limit = RateLimit(redis, "uploads", 2, 60)
    assert [await limit.wait_s("ada") for _ in range(2)] == [None, None]
    wait_s = await limit.wait_s("ada")
    assert wait_s is not None
    assert 1 <= wait_s <= 60
    assert await limit.wait_s("bob") is None
    # The window ends of itself, and what was refused has not made it longer.
    assert 0 < await redis.ttl(keys.rate("uploads", "ada")) <= 60
    await redis.delete(keys.rate("uploads", "ada"))
    assert await limit.wait_s("ada") is None
