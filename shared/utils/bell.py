"""What signal handlers may ring, and one loop waits for.

A `threading.Event` is not for handlers: a signal that comes while the handler of another one sets
it waits for a lock that only itself could release.
"""

import contextlib
import os
import select


class Bell:
    def __init__(self) -> None:
        self._heard, self._rung = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is ringing already
            os.write(self._rung, b"\0")

    def wait(self, timeout_s: float) -> None:
        """Until it rings, or has rung since the last time; `timeout_s` at most."""
        select.select([self._heard], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._heard, 4096):
                pass

    def close(self) -> None:
        os.close(self._heard)
        os.close(self._rung)
