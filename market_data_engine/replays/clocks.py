"""How fast a run's market time goes by."""

import asyncio
import time
from typing import Protocol

_SECOND_NS = 1_000_000_000


class Clock(Protocol):
    """`Transport` is the one of a replay."""

    @property
    def step_ns(self) -> int | None:
        """Also marks each of these steps of market time, with prints or without. None: only
        what has prints or ends a candle is marked."""
        ...

    @property
    def target_ns(self) -> int | None:
        """Where the run is to jump to, a whole minute; None when it is to play on."""
        ...

    def skipped(self, at_ns: int) -> None: ...

    def landed(self, at_ns: int) -> None: ...

    async def until(self, at_ns: int) -> bool:
        """True when market time `at_ns` has come, False when it is to jump instead."""
        ...


class WallClock:
    """Market time is now; nobody can pause it."""

    step_ns: int | None = _SECOND_NS
    target_ns: int | None = None

    def skipped(self, at_ns: int) -> None:
        raise AssertionError(f"the wall clock can't skip to {at_ns}")

    def landed(self, at_ns: int) -> None:
        raise AssertionError(f"the wall clock can't jump to {at_ns}")

    async def until(self, at_ns: int) -> bool:
        await asyncio.sleep(max(0.0, at_ns / 1e9 - time.time()))
        return True
