"""Ends hooks that don't return, so that one strategy can't hold up all others of its worker."""

import contextlib
import ctypes
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

from strategy_workers.runtime.deployment import HookError, error_text
from strategy_workers.sdk import Strategy

_LOOKS_PER_TIMEOUT = 8
#: Timeouts that a hook is given to end by itself once it was broken into.
_PATIENCE = 3

#: Takes back what hasn't been raised yet.
_NOTHING = ctypes.py_object()
_break_into = ctypes.pythonapi.PyThreadState_SetAsyncExc
_break_into.argtypes = (ctypes.c_ulong, ctypes.py_object)


class HookOverdueError(BaseException):
    """Raised inside a hook that has taken too long. No `except Exception` holds it."""


@dataclass(slots=True)
class _Watch:
    deployment_id: UUID | None
    #: How often it has been looked at. Time is counted in these: a process that was asleep, or a
    #: machine without a free core, must not look like a hook that hangs.
    looks: int = 0
    is_broken_into: bool = False


class Watchdog:
    """A context manager: it watches from a thread of its own while the block runs.

    Python code is broken into by an exception. What isn't broken by it, a call that never comes
    back from C or a loop that catches everything, is told to `give_up`, which doesn't return.
    """

    def __init__(self, timeout_s: float, give_up: Callable[[UUID | None, str], None]) -> None:
        self._timeout_s = timeout_s
        self._give_up = give_up
        #: By the thread that is in the hook.
        self._watches: dict[int, _Watch] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    @contextlib.contextmanager
    def over(self, deployment_id: UUID | None, strategy: type[Strategy]) -> Iterator[None]:
        """The block may call hooks of one deployment; HookError when they take too long.

        Without an id nothing is paused should it never come back.
        """
        if strategy.has_own_process:
            yield
            return
        me = threading.get_ident()
        watch = _Watch(deployment_id)
        self._watches[me] = watch
        try:
            try:
                yield
            finally:
                self._leave(me, watch)
        except HookOverdueError:
            self._leave(me, watch)
            raise HookError(
                f"A hook didn't return within {self._timeout_s:g} s. It was here:\n{error_text()}"
            ) from None

    def _leave(self, thread: int, watch: _Watch) -> None:
        with self._lock:
            self._watches.pop(thread, None)
            if watch.is_broken_into:
                _break_into(thread, _NOTHING)  # should it not have come yet: what follows is ours

    def _look(self) -> None:
        while not self._ended.wait(self._timeout_s / _LOOKS_PER_TIMEOUT):
            lost = None
            with self._lock:
                for thread, watch in list(self._watches.items()):
                    watch.looks += 1
                    if watch.looks == _LOOKS_PER_TIMEOUT:
                        watch.is_broken_into = True
                        _break_into(thread, HookOverdueError)
                    elif watch.looks >= _LOOKS_PER_TIMEOUT * (1 + _PATIENCE):
                        lost = thread, watch
            if lost is not None:
                self._give_up(lost[1].deployment_id, self._account_of(lost[0]))
                return

    def _account_of(self, thread: int) -> str:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented in `sys`
        where = "".join(traceback.format_stack(frame)) if frame is not None else ""
        return (
            f"A hook didn't return within {self._timeout_s:g} s and couldn't be broken into: its "
            f"worker was ended. It was here:\n{where}"
        )
