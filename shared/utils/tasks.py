"""Ending asyncio tasks for certain."""

import asyncio
from collections.abc import Collection
from typing import Any

_CANCEL_AGAIN_AFTER_S = 0.1


async def end_tasks(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended. Their results and errors are not looked at.

    Once is not enough: redis-py loses a cancellation that comes while it connects, and the
    task would read on for ever.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_CANCEL_AGAIN_AFTER_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen: no "never retrieved" warning
