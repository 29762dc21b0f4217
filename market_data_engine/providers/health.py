"""How well a provider is: H = 0.45·breaker + 0.25·latency + 0.20·errors + 0.10·completeness.

Each part is from 0 (bad) to 1 (good). Only the last minutes count, so that a provider that isn't
asked because it was bad gets another chance. Pure: time is passed in.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from market_data_engine.providers.breaker import BreakerState

#: Calls that count, and for how long.
_CALLS: Final = 50
WINDOW_S: Final = 600.0

_OF_BREAKER: Final[dict[BreakerState, float]] = {"closed": 1.0, "half_open": 0.5, "open": 0.0}


@dataclass(frozen=True, slots=True)
class Thresholds:
    #: A provider whose score falls below loses its place in the policies …
    demote_below: float = 0.55
    #: … until its score is above this.
    promote_above: float = 0.70
    #: Mean seconds of an answer that count as 1 and as 0; in between in proportion.
    latency_good_s: float = 0.5
    latency_bad_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    breaker: float
    latency: float
    errors: float
    completeness: float

    @property
    def score(self) -> float:
        parts = 0.45 * self.breaker + 0.25 * self.latency + 0.20 * self.errors
        return round(parts + 0.10 * self.completeness, 6)


@dataclass(frozen=True, slots=True)
class _Call:
    at_s: float
    latency_s: float
    sound: bool
    #: Share of what was expected; None when nothing is known of that.
    completeness: float | None


class CallRecord:
    """The last calls to one provider."""

    def __init__(self) -> None:
        self._calls: deque[_Call] = deque(maxlen=_CALLS)

    def note(
        self, at_s: float, latency_s: float, *, sound: bool, completeness: float | None = None
    ) -> None:
        self._calls.append(_Call(at_s, latency_s, sound, completeness))

    def health(self, now_s: float, breaker: BreakerState, thresholds: Thresholds) -> Health:
        """Who wasn't asked lately has done nothing wrong."""
        calls = [call for call in self._calls if call.at_s > now_s - WINDOW_S]
        complete = [call.completeness for call in calls if call.completeness is not None]
        return Health(
            breaker=_OF_BREAKER[breaker],
            latency=_of_latency(_mean([call.latency_s for call in calls]), thresholds),
            errors=1.0 if not calls else _mean([float(call.sound) for call in calls]),
            completeness=1.0 if not complete else min(1.0, _mean(complete)),
        )


class Standing:
    """Whether a provider keeps its place, with hysteresis: between the thresholds it stays what it
    is, so that one that hovers around a limit doesn't move traffic to and fro."""

    def __init__(self) -> None:
        self.promoted = True

    def see(self, score: float, thresholds: Thresholds) -> None:
        if score < thresholds.demote_below:
            self.promoted = False
        elif score > thresholds.promote_above:
            self.promoted = True


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _of_latency(mean_s: float, thresholds: Thresholds) -> float:
    span_s = thresholds.latency_bad_s - thresholds.latency_good_s
    return min(1.0, max(0.0, (thresholds.latency_bad_s - mean_s) / span_s))
