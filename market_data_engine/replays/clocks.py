"""How fast a run's market time goes by."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    async def until(self, at_ns: int) -> None:
        """Returns when market time `at_ns` has come."""
        ...


class NoClock:
    """As fast as everyone who takes part can follow."""

    async def until(self, at_ns: int) -> None:
        pass


class SpeedClock:
    """`speed` seconds of market time a second, counted from the first time asked for.

    A run that was kept waiting catches up.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._first_ns: int | None = None
        self._started_s = 0.0

    async def until(self, at_ns: int) -> None:
        if self._first_ns is None:
            self._first_ns = at_ns
            self._started_s = time.monotonic()
        due_s = self._started_s + (at_ns - self._first_ns) / 1e9 / self._speed
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


class WallClock:
    """Market time is now."""

    async def until(self, at_ns: int) -> None:
        await asyncio.sleep(max(0.0, at_ns / 1e9 - time.time()))
