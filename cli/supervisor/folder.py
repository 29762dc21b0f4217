"""One instance of the platform is one data folder; this is what lies where in it."""

import fcntl
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.errors import BadInputError, CliError

#: What may be there before the first start: a start that was interrupted, a service run by hand.
_BEFORE_FIRST_START = {"logs", "valkey", "market"}


@dataclass(frozen=True)
class DataFolder:
    path: Path

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.env"

    @property
    def instance(self) -> Path:
        """What is remembered from start to start: ports, where Postgres lives."""
        return self.path / "instance.json"

    @property
    def state(self) -> Path:
        """What the supervisor sees now; worth reading only while it runs."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def market_data(self) -> Path:
        return self.path / "market_data"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Make it. Root's must be open to `nobody`, who runs Postgres; its files are private.

        Raises BadInputError for a folder with other things in it, such as a home or a checkout.
        """
        try:
            if not self.lock.exists() and self.path.is_dir():
                strange = {entry.name for entry in self.path.iterdir()} - _BEFORE_FIRST_START
                if strange:
                    raise BadInputError(
                        f"{self.path} holds something else than a platform; name an empty folder"
                    )
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
            self.valkey.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise CliError(f"can't use the data folder {self.path}: {error.strerror}") from error


def write_json(path: Path, content: object) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(content, indent=1) + "\n")
    unfinished.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """None when there is no such file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CliError(f"can't read {path}: {error}") from error
    return content


class InstanceLock:
    """Held by the supervisor and, inherited, by every process that it starts.

    So it is free exactly when nothing of the instance runs any more, however it ended.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._path = folder.lock
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        assert self._fd is not None
        return self._fd

    def take(self, timeout_s: float) -> None:
        """Waits while the processes of a killed supervisor end; CliError when one runs."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout_s
        while not _locked(fd):
            pid = _living_holder(fd)
            if pid is not None:
                os.close(fd)
                raise CliError(
                    f"the platform in {self._path.parent} is already running (process {pid})"
                )
            if time.monotonic() > deadline:
                os.close(fd)
                raise CliError(
                    f"processes of the killed platform in {self._path.parent} are still ending; "
                    "try again in some seconds"
                )
            time.sleep(0.05)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {started_at(os.getpid())}\n".encode(), 0)
        self._fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def running_supervisor(folder: DataFolder) -> int | None:
    """Process id of the instance's supervisor; None when it isn't running."""
    try:
        fd = os.open(folder.lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise CliError(f"the data folder {folder.path} belongs to another user") from error
    except OSError as error:
        raise BadInputError(f"{folder.lock} can't be read: {error.strerror}") from error
    try:
        return None if _locked(fd) else _living_holder(fd)
    finally:
        os.close(fd)


def stop_supervisor(folder: DataFolder, pid: int, timeout_s: float) -> None:
    """Ask it to stop, and return when nothing of the instance runs any more."""
    fd = os.open(folder.lock, os.O_RDWR)
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while not _locked(fd) or _living(pid):
            if time.monotonic() > deadline:
                raise CliError(f"the platform (process {pid}) did not stop in {timeout_s:.0f} s")
            time.sleep(0.05)
    except ProcessLookupError:
        return  # it ended by itself just now
    finally:
        os.close(fd)


def started_at(pid: int) -> str:
    """Start of a process in clock ticks since boot: with its id, it names the process for good."""
    return _process_facts(pid)[19]


def _living(pid: int) -> bool:
    try:
        return _process_facts(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _process_facts(pid: int) -> list[str]:
    """What follows the command's closing parenthesis; the command itself may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _living_holder(fd: int) -> int | None:
    pid, _, start = os.pread(fd, 64, 0).decode().strip().partition(" ")
    try:
        return int(pid) if start and started_at(int(pid)) == start else None
    except (FileNotFoundError, ProcessLookupError):
        return None
