"""Starting six services at once without importing the same libraries six times.

What all services import is imported here, once, while the servers start; each service is
then a fork that goes on as `python -m <service>` would. That halves the start of the platform
on a small machine, and the services share the memory of those libraries. It needs a process
with one thread, so it is for the first start only; a service that crashed is started anew.
"""

import ctypes
import gc
import importlib
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.embedded.processes import end_with_parent

_COMMON = (
    "fastapi.responses",
    "httpx",
    "prometheus_client",
    "redis.asyncio",
    "shared.config",
    "shared.database",
    "shared.models.market",
    "shared.models.orders",
    "shared.redis",
    "shared.service.app",
    "shared.service.internal",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "sqlalchemy.orm",
    "structlog",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
_PR_SET_NAME = 15
_M_ARENA_MAX = -8
_libc = ctypes.CDLL(None)


def import_common() -> None:
    for name in _COMMON:
        importlib.import_module(name)
    # In a child that is started anew, MALLOC_ARENA_MAX says this.
    _libc.mallopt(_M_ARENA_MAX, 2)
    # What is here now stays: the collector of a fork needn't touch, and so copy, its pages.
    gc.collect()
    gc.freeze()


class Forked:
    """A forked child, with what we use of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork_module(
    name: str, *, log: Path, environment: Mapping[str, str], folder: Path, ignore: Sequence[int]
) -> Forked:
    """Run `python -m name` in a fork, killed with this process; `ignore` lists our own signals."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Forked(pid)
    code = 1
    try:
        for number in ignore:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _stand_alone(name, log, environment, folder)
        end_with_parent(signal.SIGKILL, parent)
        code = _run(name)
    except BaseException:  # noqa: BLE001 - the end of this process, which must not become ours
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _stand_alone(name: str, log: Path, environment: Mapping[str, str], folder: Path) -> None:
    """Session, working folder, environment, output and name of a process of its own."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.path.insert(0, str(folder))
    sys.argv = [name]
    _show_as(name)


def _run(name: str) -> int:
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


def _show_as(name: str) -> None:
    """Let `ps` and /proc tell this process from the one that it was forked from."""
    _libc.prctl(_PR_SET_NAME, name[:15].encode(), 0, 0, 0)
    facts = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    # proc(5): fields 48 and 49 are the bounds of the command line in memory.
    start, end = int(facts[45]), int(facts[46])
    command = b"\0".join((sys.executable.encode(), b"-m", name.encode())) + b"\0"
    if 0 < len(command) <= end - start:
        ctypes.memmove(start, command.ljust(end - start, b"\0"), end - start)
