"""Whatever dies: no acknowledged order is missing, none is there twice, every execution has its
ledger entry, the books add up, and who asks again gets the first answer."""

import signal

from tests.chaos.conftest import MakeWorld


async def test_an_order_processor_is_killed(world: MakeWorld, rounds: int) -> None:
    async with world() as it:
        for _ in range(rounds):
            await it.some_time()
            victim = it.chance.choice(it.processors)
            victim.kill()
            await it.some_time()
            victim.start()
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()


async def test_all_order_processors_and_the_engine_are_killed_at_once(
    world: MakeWorld, rounds: int
) -> None:
    async with world() as it:
        for _ in range(rounds):
            await it.some_time()
            victims = [*it.processors, it.market]
            for victim in victims:
                victim.signal(signal.SIGKILL)
            for victim in it.chance.sample(victims, len(victims)):
                victim.wait()
                victim.start()
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()


async def test_an_owner_sleeps_through_its_lease_and_wakes_beside_its_successor(
    world: MakeWorld, rounds: int
) -> None:
    async with world() as it:
        for _ in range(rounds):
            await it.some_time()
            sleeper = it.chance.choice(it.processors)
            sleeper.signal(signal.SIGSTOP)
            await it.progress()  # by the other, after the lease has run out
            sleeper.signal(signal.SIGCONT)
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()


async def test_redis_is_killed_and_comes_back_with_its_data(world: MakeWorld, rounds: int) -> None:
    await _with_another_redis(world, rounds, empty=False)


async def test_redis_is_killed_and_comes_back_empty(world: MakeWorld, rounds: int) -> None:
    await _with_another_redis(world, rounds, empty=True)


async def _with_another_redis(world: MakeWorld, rounds: int, *, empty: bool) -> None:
    async with world() as it:
        for _ in range(rounds):
            await it.some_time()
            await it.restart_valkey(empty=empty)
            await it.progress()
            await it.fills()
        await it.calm_down_and_check()


async def test_postgres_crashes_and_recovers(world: MakeWorld, rounds: int) -> None:
    async with world() as it:
        for _ in range(rounds):
            await it.some_time()
            await it.restart_postgres()
            await it.progress()
        await it.fills()
        await it.calm_down_and_check()


async def test_connections_are_cut_also_between_a_commit_and_its_answer(
    world: MakeWorld, rounds: int
) -> None:
    async with world() as it:
        for _ in range(4 * rounds):
            await it.some_time()
            line = it.chance.choice([it.postgres_line, it.postgres_line, it.redis_line])
            if it.chance.random() < 0.5:
                line.cut()
            else:
                await line.cut_before_an_answer()
            await it.progress(2)
        await it.fills()
        await it.calm_down_and_check()
