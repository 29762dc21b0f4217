"""Workers as processes of this machine, children of the launcher."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from strategy_workers.launchers.launcher import LauncherError, Worker


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    drained: bool = False


class ProcessLauncher:
    """Its workers end with it: `end`, when it is told to."""

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-m", "strategy_workers"),
        environment: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`environment` is asked for each worker: what it has besides the launcher's own."""
        self._command = list(command)
        self._environment = environment
        self._children: dict[str, _Child] = {}

    def workers(self) -> list[Worker]:
        for pid, child in list(self._children.items()):
            if child.drained and child.process.poll() is not None:
                del self._children[pid]
        return [
            Worker(pid, child.name, child.process.poll() is None)
            for pid, child in self._children.items()
            if not child.drained
        ]

    def start(self, name: str) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own
                self._command,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self._environment()},
            )
        except OSError as error:
            raise LauncherError(f"{self._command[0]} can't be started: {error.strerror}") from error
        self._children[str(process.pid)] = _Child(name, process)

    def drain(self, worker: Worker) -> None:
        child = self._children[worker.id]
        child.drained = True
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)

    def remove(self, worker: Worker) -> None:
        self._children.pop(worker.id).process.wait()

    def end(self, patience_s: float) -> None:
        """All of them, by force when they take longer."""
        for child in self._children.values():
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        for child in self._children.values():
            try:
                child.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self._children.clear()
