"""Timers of a deployment, in market time. Pure.

They are looked at in moments with completed candles only: those are the same in a live run, a
replay and a backtest, which other marks of time are not.
"""

from typing import Final

import msgspec

from strategy_workers.sdk.errors import StrategyError

NEVER_NS: Final = 1 << 62
#: Of one deployment.
MOST_TIMERS: Final = 1000


class Timer(msgspec.Struct):
    due_ns: int
    #: None for one that is due once.
    every_ns: int | None = None


class Timers:
    def __init__(self) -> None:
        self._by_name: dict[str, Timer] = {}
        #: When the next one is due.
        self.next_ns = NEVER_NS

    def start(self, name: str, timer: Timer) -> None:
        """In place of another of the same name. Raises StrategyError when there are too many."""
        if len(self._by_name) >= MOST_TIMERS and name not in self._by_name:
            raise StrategyError(f"a deployment has {MOST_TIMERS:,} timers at most")
        self._by_name[name] = timer
        self._look()

    def end(self, name: str) -> None:
        self._by_name.pop(name, None)
        self._look()

    def take_due(self, at_ns: int) -> list[str]:
        """Names by due time, then in the order of the alphabet; the repeating ones begin anew."""
        due = sorted(
            (timer.due_ns, name) for name, timer in self._by_name.items() if timer.due_ns <= at_ns
        )
        for _, name in due:
            timer = self._by_name[name]
            if timer.every_ns is None:
                del self._by_name[name]
            elif timer.due_ns <= 0:
                timer.due_ns = at_ns + timer.every_ns
            else:
                passed = (at_ns - timer.due_ns) // timer.every_ns
                timer.due_ns += (passed + 1) * timer.every_ns
        self._look()
        return [name for _, name in due]

    def run_started(self) -> None:
        """Times of the run before mean nothing: repeating ones begin with the next candle."""
        self.restore(
            {
                name: Timer(0, timer.every_ns)
                for name, timer in self._by_name.items()
                if timer.every_ns is not None
            }
        )

    def state(self) -> dict[str, Timer]:
        return self._by_name

    def restore(self, state: dict[str, Timer]) -> None:
        self._by_name = state
        self._look()

    def inherit(self, old: "Timers") -> None:
        """Those of before the parameters changed go on, but for spans that were set anew."""
        for name, timer in old.state().items():
            mine = self._by_name.get(name)
            if mine is None or mine.every_ns == timer.every_ns:
                self._by_name[name] = timer
        self._look()

    def _look(self) -> None:
        self.next_ns = min((timer.due_ns for timer in self._by_name.values()), default=NEVER_NS)
