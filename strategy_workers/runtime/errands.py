"""Deployments on their way in or out of a worker, beside the tape: that may wait for services."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

from shared.utils.tasks import end_tasks

#: Each may hold a Redis connection.
_AT_ONCE = 16


class Errands:
    def __init__(self, told: Callable[[], object]) -> None:
        """`told` is called whenever one has ended."""
        self._told = told
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def __len__(self) -> int:
        """Deployments that are under way."""
        return len(self._tasks)

    def __contains__(self, deployment_id: UUID) -> bool:
        return deployment_id in self._tasks

    def run(self, ids: Collection[UUID], errand: Callable[[], Awaitable[None]]) -> None:
        async def in_turn() -> None:
            async with self._at_once:
                await errand()

        task = asyncio.create_task(in_turn(), name=f"errand:{next(iter(ids))}")
        task.add_done_callback(lambda _: self._told())
        self._tasks.update(dict.fromkeys(ids, task))

    def look(self) -> None:
        """Forget those that have ended. A fault of ours in one is raised: it is one of the whole
        worker."""
        for deployment_id, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[deployment_id]
                task.result()

    async def end(self) -> None:
        await end_tasks(set(self._tasks.values()))
        self._tasks.clear()
