"""Messages that come twice and out of order, disks that are full, clocks that jump."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from sqlalchemy import text

from shared.redis.keys import order_commands
from shared.redis.streams import BEGINNING, read_after
from shared.utils.tasks import end_tasks
from tests.chaos.conftest import MakeWorld
from tests.chaos.world import World


async def test_commands_come_twice_and_out_of_order(world: MakeWorld, rounds: int) -> None:
    async with world() as it:
        echoes = [
            asyncio.create_task(_echo(it, shard)) for shard in range(it.settings.order_shards)
        ]
        try:
            await it.progress(10 * rounds)
            await it.fills()
        finally:
            await end_tasks(echoes)
        assert sum(task.cancelled() for task in echoes) == len(echoes), "an echo ended early"
        await it.calm_down_and_check()


async def _echo(it: World, shard: int) -> None:
    """Adds every command again, some at once, others after many that were sent later."""
    stream = order_commands(shard)
    after = BEGINNING
    heard: set[bytes] = set()
    held: list[bytes] = []
    while True:
        with contextlib.suppress(RedisError):
            for entry_id, fields in await read_after(
                it.redis, stream, after, count=50, block_ms=50
            ):
                after = entry_id
                body = fields[b"b"]
                if body not in heard:
                    heard.add(body)
                    held += [body] * it.chance.randint(1, 2)
            it.chance.shuffle(held)
            for _ in range(it.chance.randint(0, 3)):
                if held:
                    await it.redis.xadd(stream, {"b": held.pop()})


async def test_redis_is_full(world: MakeWorld, rounds: int) -> None:
    """It answers reads and refuses writes: commands, frames and acknowledgements."""
    async with world() as it:
        for _ in range(rounds):
            await it.some_time()
            await it.redis.config_set("maxmemory", "1")
            try:
                await it.some_time(2.0)
            finally:
                await it.redis.config_set("maxmemory", "0")
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()


@pytest.mark.parametrize("table", ["account_events", "executions"])
async def test_the_disk_of_postgres_is_full(world: MakeWorld, rounds: int, table: str) -> None:
    """What could be written before the full table was come to must not stay."""
    async with world() as it:
        with it.engine.begin() as connection:
            connection.execute(
                text(
                    "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN"
                    " RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';"
                    " END $$ LANGUAGE plpgsql"
                )
            )
        for _ in range(rounds):
            await it.some_time()
            with it.engine.begin() as connection:
                connection.execute(
                    text(
                        f"CREATE TRIGGER full_disk BEFORE INSERT ON {table}"
                        " FOR EACH ROW EXECUTE FUNCTION full_disk()"
                    )
                )
            await it.some_time(2.0)
            with it.engine.begin() as connection:
                connection.execute(text(f"DROP TRIGGER full_disk ON {table}"))
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()


async def test_the_clocks_of_the_order_processors_jump(
    world: MakeWorld, rounds: int, faketime: Path, tmp_path: Path
) -> None:
    """Hours ahead and back, while they run; leases and streams have other clocks."""
    clock = tmp_path / "clock"
    clock.write_text("+0s\n")
    faked = {
        "LD_PRELOAD": str(faketime),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    async with world(environment=faked) as it:
        for _ in range(2 * rounds):
            clock.write_text(f"{it.chance.choice((-1, 1)) * it.chance.randint(1, 40_000):+d}s\n")
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()
