"""How many workers there should be, and what to do about it. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from strategy_workers.launchers.launcher import Worker


@dataclass(frozen=True)
class Bounds:
    least: int
    most: int
    #: Deployments that one worker is meant for.
    each: int


@dataclass(frozen=True)
class Load:
    #: That should run.
    deployments: int
    #: Waiting and running.
    backtests: int


def wanted(load: Load, bounds: Bounds) -> int:
    """Backtests go on beside deployments, one at a time on each worker."""
    needed = max(math.ceil(load.deployments / bounds.each), load.backtests)
    return min(max(needed, bounds.least), bounds.most)


@dataclass(frozen=True)
class Steps:
    start: int
    drain: list[Worker]
    #: They have ended by themselves.
    remove: list[Worker]

    def __bool__(self) -> bool:
        return bool(self.start or self.drain or self.remove)


def steps_to(count: int, workers: Sequence[Worker]) -> Steps:
    """The newest are drained first: the others have been at work for longer."""
    alive = [one for one in workers if one.alive]
    return Steps(
        start=max(0, count - len(alive)),
        drain=alive[count:],
        remove=[one for one in workers if not one.alive],
    )


class Calm:
    """Keeps workers for `looks` looks in which fewer would do: load comes in waves."""

    def __init__(self, looks: int) -> None:
        self._looks = looks
        self._seen: list[int] = []

    def settled(self, count: int) -> int:
        self._seen = [*self._seen, count][-self._looks - 1 :]
        return max(self._seen)
