"""How fast a run goes, whether it stands still, and where it is to jump to."""

import asyncio
import time
from typing import Literal

from market_data_engine.errors import Refused
from shared.candles.timeframes import MINUTE_NS

State = Literal["playing", "pausing", "paused", "seeking"]

_SECOND_NS = 1_000_000_000


class Transport:
    """The clock of a recorded or made-up market, with the buttons of a tape recorder.

    `speed` is in seconds of market time a second, counted from the first time asked for; None: as
    fast as everyone can follow. A run that was kept waiting catches up, unless it was paused.
    """

    def __init__(
        self, speed: float | None, span_ns: tuple[int, int], start_ns: int | None = None
    ) -> None:
        """`span_ns` has the times of the first and last print or quote. From `start_ns` on, a
        whole minute, it is played."""
        self._speed = speed
        first_ns, self._ends_ns = span_ns
        self._paused = False
        #: It waits in `until` because it is paused.
        self._stands = False
        self._target_ns = start_ns
        #: Market time that the run has come to, by playing or by skipping.
        self._come_to_ns = first_ns - first_ns % MINUTE_NS
        #: Market time and the wall's (monotonic) from which the speed counts.
        self._anchor: tuple[int, float] | None = None
        self._changed = asyncio.Event()

    # --- what users press ------------------------------------------------------------------------

    def pause(self) -> Refused | None:
        if self._paused:
            return Refused("already_paused", "The replay is paused already.")
        self._paused = True
        self._anchor = self._here()
        self._changed.set()
        return None

    def resume(self) -> Refused | None:
        if not self._paused:
            return Refused("not_paused", "The replay isn't paused.")
        self._paused = False
        if self._anchor is not None:
            self._anchor = (self._anchor[0], time.monotonic())
        self._changed.set()
        return None

    def change_speed(self, speed: float | None) -> None:
        self._anchor = self._here() if speed is not None else None
        self._speed = speed
        self._changed.set()

    def seek(self, at_ns: int) -> Refused | None:
        """On to the start of that minute, without playing what lies between."""
        target_ns = at_ns - at_ns % MINUTE_NS
        if target_ns <= self._come_to_ns:
            return Refused(
                "seek_backwards",
                "The books of a replay can't go back in time: stop it, and start another one"
                " with start_at.",
            )
        if target_ns > self._ends_ns:
            return Refused("seek_beyond_end", "The replay's market ends before that minute.")
        self._target_ns = target_ns
        self._changed.set()
        return None

    # --- what it looks like ----------------------------------------------------------------------

    @property
    def speed(self) -> float | None:
        return self._speed

    @property
    def state(self) -> State:
        if self._target_ns is not None:
            return "seeking"
        if not self._paused:
            return "playing"
        return "paused" if self._stands else "pausing"

    # --- what the run asks -----------------------------------------------------------------------

    @property
    def step_ns(self) -> int | None:
        """At a human speed something is shown each second."""
        return None if self._speed is None else min(MINUTE_NS, int(self._speed * _SECOND_NS))

    @property
    def target_ns(self) -> int | None:
        """Where the run is to jump to, a whole minute; None when it is to play on."""
        return self._target_ns

    def skipped(self, at_ns: int) -> None:
        """All before `at_ns` was passed over."""
        self._come_to_ns = max(self._come_to_ns, at_ns)

    def landed(self, at_ns: int) -> None:
        """Market time was moved to where it was to go. A later target may have come meanwhile."""
        self.skipped(at_ns)
        if self._target_ns == at_ns:
            self._target_ns = None
        self._anchor = (at_ns, time.monotonic())

    async def until(self, at_ns: int) -> bool:
        """True when market time `at_ns` has come, False when it is to jump instead."""
        while self._target_ns is None:
            if self._paused:
                self._stands = True
                await self._change(None)
                self._stands = False
            elif (left_s := self._left_s(at_ns)) > 0:
                await self._change(left_s)
            else:
                self._come_to_ns = max(self._come_to_ns, at_ns)
                return True
        return False

    def _left_s(self, at_ns: int) -> float:
        if self._speed is None:
            return 0.0
        if self._anchor is None:
            self._anchor = (at_ns, time.monotonic())
        from_ns, since_s = self._anchor
        return since_s + (at_ns - from_ns) / 1e9 / self._speed - time.monotonic()

    def _here(self) -> tuple[int, float] | None:
        """Where market time is now. What a run is behind by is forgiven."""
        now_s = time.monotonic()
        if self._anchor is None or self._speed is None:
            return None
        from_ns, since_s = self._anchor
        if self._paused:
            return from_ns, now_s
        by_clock_ns = from_ns + int((now_s - since_s) * self._speed * 1e9)
        step_ns = self.step_ns or MINUTE_NS
        return min(by_clock_ns, max(from_ns, self._come_to_ns) + step_ns), now_s

    async def _change(self, timeout_s: float | None) -> None:
        """Returns when a button was pressed, or that time is over."""
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            pass
