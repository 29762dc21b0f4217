import asyncio
import random

from redis.asyncio import Redis

from shared.models.market import RunEnded
from shared.redis import tape


async def test_a_task_that_reads_in_a_loop_ends_when_it_is_cancelled(redis: Redis) -> None:
    """Also when the cancellation comes just as a command has been sent."""
    random.seed(1)

    async def read_always() -> None:
        while True:
            await tape.read(redis, tape.BEGINNING, block_ms=20)

    await tape.append(redis, [RunEnded(run_id="r")])
    for _ in range(200):
        task = asyncio.create_task(read_always())
        await asyncio.sleep(random.random() * 0.005)
        task.cancel()
        await asyncio.wait([task], timeout=2)
        assert task.cancelled()
    assert await tape.end_of_tape(redis) != tape.BEGINNING
