import asyncio

from shared.utils.tasks import end_tasks


async def test_a_task_that_loses_a_cancellation_ends_all_the_same() -> None:
    lost = 0

    async def deaf_at_first() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 2:
                    raise

    async def fails() -> None:
        raise ValueError

    tasks = [asyncio.create_task(deaf_at_first()), asyncio.create_task(fails())]
    await asyncio.sleep(0)
    await asyncio.wait_for(end_tasks(tasks), 5)
    assert all(task.done() for task in tasks)
    assert lost == 2


async def test_nothing_to_end_is_fine() -> None:
    await end_tasks([])
