"""Where workers run, as those who count them see it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Worker(NamedTuple):
    #: By the launcher's own means: a process id, a container's id, a pod's uid.
    id: str
    name: str
    alive: bool


class LauncherError(Exception):
    """What workers run on doesn't answer, or refuses; in a sentence. Later it may."""


class Launcher(Protocol):
    """Blocking. Methods raise LauncherError."""

    def workers(self) -> Sequence[Worker]:
        """In the order of their start, also those that have ended and were not removed."""

    def start(self, name: str) -> None:
        """Return when it has begun to run, or a cluster has taken on to run it."""

    def drain(self, worker: Worker) -> None:
        """Ask it to put back what it does, and to end; removed when it has."""

    def remove(self, worker: Worker) -> None:
        """Of one that has ended: nothing of it is left."""
