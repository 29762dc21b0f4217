"""A circuit breaker: who fails again and again is left alone for a while. Pure."""

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "half_open", "open"]


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    #: In a row, until it opens.
    failures: int = 5
    #: Until one attempt is let through; doubled each time that this one fails, too.
    cooldown_s: float = 30.0
    most_cooldown_s: float = 600.0


class Breaker:
    """Closed → open after `failures` in a row; open → half-open when the cooldown is over;
    half-open → closed with a success, back to open with a failure."""

    def __init__(self, terms: BreakerTerms) -> None:
        self.terms = terms
        self._failures = 0
        #: Times that it opened without a success in between.
        self._openings = 0
        self._open_until_s: float | None = None
        #: Half-open: an attempt is under way, and until when it may be.
        self._trial_until_s = 0.0

    def state(self, now_s: float) -> BreakerState:
        if self._open_until_s is None:
            return "closed"
        return "open" if now_s < self._open_until_s else "half_open"

    def allows(self, now_s: float) -> bool:
        state = self.state(now_s)
        return state == "closed" or (state == "half_open" and now_s >= self._trial_until_s)

    def attempt(self, now_s: float, longest_s: float = 60.0) -> None:
        """A question is about to be asked; while half-open no second one is let through, unless
        the first is not heard of for `longest_s`."""
        if self.state(now_s) == "half_open":
            self._trial_until_s = now_s + longest_s

    def succeeded(self) -> None:
        self._failures = self._openings = 0
        self._open_until_s = None
        self._trial_until_s = 0.0

    def failed(self, now_s: float, *, at_once: bool = False) -> None:
        """`at_once`: no use in asking again soon, for instance with refused credentials."""
        self._failures += 1
        self._trial_until_s = 0.0
        if at_once or self._openings or self._failures >= self.terms.failures:
            if self.state(now_s) == "open":
                return  # of a question that was under way when it opened
            pause_s = self.terms.cooldown_s * 2.0 ** min(self._openings, 20)
            self._open_until_s = now_s + min(pause_s, self.terms.most_cooldown_s)
            self._openings += 1
