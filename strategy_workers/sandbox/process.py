"""A strategy's process, from the outside: started, asked, and ended when it doesn't behave."""

import contextlib
import math
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from strategy_workers.sandbox import frames
from strategy_workers.sdk.errors import ToldError

_ROOT = Path(__file__).parents[2]
_CHILD = Path(__file__).with_name("child.py")
_LOOKS_PER_TIMEOUT = 8
#: Parts of an answer that may be waited for, however long they took.
_DROPS = 64
#: To start Python and to read the source; a machine under load takes its time.
_START_TIMEOUT_S = 15.0
#: Processor time that a process may have used beyond what its hooks took.
_IDLE_CPU_S = 10.0
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Limits:
    hook_timeout_s: float = 2.0
    memory_mib: int = 512
    #: All answers of one process together; for a trial.
    total_s: float = math.inf
    #: False only where somebody has said that this machine's strategies can be trusted.
    confined: bool = True


class _Patience:
    """How long one answer is waited for.

    Counted in looks: a worker that was asleep must not take that for the strategy's time. An
    answer in drops doesn't stretch it.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._began = time.monotonic()
        self._looks_left = _LOOKS_PER_TIMEOUT
        self._drops_left = _DROPS

    @property
    def took_s(self) -> float:
        return time.monotonic() - self._began

    def wait_for(self, connection: socket.socket, *, to_write: bool) -> None:
        """Raises TimeoutError."""
        mine = [connection]
        reading, writing = ([], mine) if to_write else (mine, [])
        while self._looks_left:
            ready = select.select(reading, writing, [], self._timeout_s / _LOOKS_PER_TIMEOUT)
            if ready[0] or ready[1]:
                self._drops_left -= 1
                if self._drops_left < 0 and self.took_s > self._timeout_s:
                    break
                return
            self._looks_left -= 1
        raise TimeoutError


class StrategyProcess:
    """One request at a time. After a ToldError it has ended, and all further ones fail."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        ours, theirs = socket.socketpair()
        with theirs:
            self._process: Final = subprocess.Popen(  # noqa: S603 - the command is ours
                [
                    sys.executable, "-I", "-B", str(_CHILD), str(_ROOT), str(theirs.fileno()),
                    str(limits.memory_mib), str(int(limits.confined)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )  # fmt: skip
        self._socket = ours
        ours.setblocking(False)
        self._cpu_clock = (~self._process.pid << 3) | 2  # as clock_getcpuclockid makes it
        self._allowed_cpu_s = _START_TIMEOUT_S
        self._cpu_limit_s = 0.0
        self._time_left_s = limits.total_s
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self, files: dict[str, bytes]) -> frames.Manifest:
        return self._ask(frames.Load(files), frames.Loaded, _START_TIMEOUT_S, "load").manifest

    def ask(self, request: frames.Request, kind: type[frames.R], what: str) -> frames.R:
        """`what` names it in the account of a failure. Raises ToldError."""
        return self._ask(request, kind, self._limits.hook_timeout_s, what)

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _ask(
        self, request: frames.Request, kind: type[frames.R], timeout_s: float, what: str
    ) -> frames.R:
        if self._ended:
            raise ToldError("The strategy's process has ended.")
        patience = _Patience(timeout_s)
        try:
            self._send(frames.packed(request), patience)
            size = int.from_bytes(self._receive(frames.HEAD_BYTES, patience), "little")
            if size > frames.MOST_BYTES:
                raise ToldError(f"The strategy's process said {size:,} bytes at once.")
            reply = frames.read_reply(self._receive(size, patience))
            self._watch_processor(patience.took_s)
            self._time_left_s -= patience.took_s
            if self._time_left_s < 0:
                raise ToldError(f"Its hooks took more than {self._limits.total_s:g} s in all.")
        except TimeoutError:
            self.end()
            raise ToldError(
                f"{what} didn't return within {timeout_s:g} s: its process was ended."
            ) from None
        except (OSError, EOFError):
            raise ToldError(self._how_it_ended(what)) from None
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            self.end()
            raise ToldError(f"The strategy's process said what makes no sense: {error}") from None
        except ToldError:
            self.end()
            raise
        if isinstance(reply, frames.Failed):
            raise ReportedError(reply)
        if not isinstance(reply, kind):
            self.end()
            raise ToldError(f"The strategy's process answered {what} with something else.")
        return reply

    def _send(self, frame: bytes, patience: "_Patience") -> None:
        rest = memoryview(frame)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                patience.wait_for(self._socket, to_write=True)

    def _receive(self, size: int, patience: "_Patience") -> bytes:
        parts = []
        while size:
            try:
                part = self._socket.recv(min(size, 1 << 20))
            except BlockingIOError:
                patience.wait_for(self._socket, to_write=False)
                continue
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _watch_processor(self, took_s: float) -> None:
        """Between hooks it must rest. Past the limit the kernel ends it, hooks or no hooks."""
        self._allowed_cpu_s += took_s
        try:
            used_s = time.clock_gettime(self._cpu_clock)
            if used_s > self._cpu_limit_s - 2 * _IDLE_CPU_S:
                self._cpu_limit_s = used_s + 4 * _IDLE_CPU_S
                _, most = resource.prlimit(self._process.pid, resource.RLIMIT_CPU)
                limit = int(self._cpu_limit_s)
                resource.prlimit(self._process.pid, resource.RLIMIT_CPU, (limit, most))
        except OSError as error:
            raise ToldError(f"The strategy's process can't be limited: {error}") from None
        if used_s > self._allowed_cpu_s + _IDLE_CPU_S:
            raise ToldError("The strategy's process went on working between its hooks.")

    def _how_it_ended(self, what: str) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.poll()
        self.end()
        how = ""
        if code is not None:
            how = f", by {signal.Signals(-code).name}" if code < 0 else f", with code {code}"
        return f"The strategy's process ended in {what}{how}."


class ReportedError(ToldError):
    """The strategy raised; its process lives."""

    def __init__(self, failure: frames.Failed) -> None:
        super().__init__(failure.account[-frames.ACCOUNT_CHARS :])
        self.notes = failure.notes
