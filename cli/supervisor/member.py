"""One supervised process: what it is, and how it goes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Process(Protocol):
    """What we use of `subprocess.Popen`, and of a fork."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def kill(self) -> None: ...


class MemberState(StrEnum):
    WAITING = "waiting"  # not started yet
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"  # it was ready, and now says it is not
    RESTARTING = "restarting"  # it ended by itself, and waits for its next start
    STOPPED = "stopped"


_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 30.0
#: A member that was up this long starts its backoff from the beginning again.
_SETTLED_AFTER_S = 60.0


@dataclass
class Member:
    name: str
    port: int
    log: Path
    #: Starts the process; called in the main thread.
    launch: Callable[[], Process]
    #: Whether it can do its work now; called in any thread.
    probe: Callable[[], bool]
    state: MemberState = MemberState.WAITING
    process: Process | None = None
    restarts: int = 0
    #: How it ended last by itself; None when it never did.
    last_end: str | None = None
    #: Monotonic; None before the first start.
    launched_at: float | None = None
    next_launch_at: float = field(default=0.0)
    _failures_in_a_row: int = 0

    def start(self) -> None:
        self.process = self.launch()
        self.launched_at = time.monotonic()
        self.state = MemberState.STARTING

    def note_end(self, how: str) -> None:
        """It ended by itself: plan the next start, later each time it fails again."""
        now = time.monotonic()
        if self.launched_at is not None and now - self.launched_at > _SETTLED_AFTER_S:
            self._failures_in_a_row = 0
        delay_s = min(_BACKOFF_FIRST_S * 2**self._failures_in_a_row, _BACKOFF_MAX_S)
        self._failures_in_a_row += 1
        self.restarts += 1
        self.last_end = how
        self.process = None
        self.next_launch_at = now + delay_s
        self.state = MemberState.RESTARTING

    def note_probe(self, answered: bool) -> None:
        if answered:
            self.state = MemberState.READY
        elif self.state is MemberState.READY:
            self.state = MemberState.UNREADY

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid
