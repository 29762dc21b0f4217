"""What a study is, what is known of it, and where it is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from strategy_workers.optimisation.trial import Trial

VERSION = 1
Search = Literal["grid", "random", "bayes"]


@dataclass(frozen=True)
class Settings:
    """With these, and with the data and code that they name, the trials are the same again."""

    search: Search
    #: As many trials at most.
    trials: int
    seed: int
    objective: str
    objective_sha256: str | None
    #: Runs with fewer closed round trips can't be ranked.
    min_trades: int
    #: End after so many trials, one after another, without a better one; None: never.
    stop_after: int | None
    space: list[dict[str, Any]]
    #: As `settings_of` has them: strategy, its version, files, costs.
    run: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"version": VERSION, **vars(self)}


class Study(Protocol):
    """The trials of one study, shared by all who work on it."""

    def results(self) -> Mapping[int, Trial]:
        """Finished trials by number."""
        ...

    def claim(self, number: int) -> bool:
        """Take a trial on, unless it is finished or somebody else is at it."""
        ...

    def keep_claims(self) -> None:
        """Those that this process has taken on go on. To be called every few seconds."""
        ...

    def finish(self, trial: Trial) -> None:
        """Durable when this returns."""
        ...


def counted(results: Mapping[int, Trial], stop_after: int | None) -> list[Trial]:
    """Finished trials in their order without a hole, up to where the study stopped.

    A study that many work on finishes trials out of order: what comes after the place where it
    would have stopped with one worker doesn't count, so the outcome is the same.
    """
    found: list[Trial] = []
    best, best_at = -math.inf, -1
    for number in range(len(results)):
        if number not in results:
            break
        trial = results[number]
        found.append(trial)
        if trial.score is not None and trial.score > best:
            best, best_at = trial.score, number
        if stop_after is not None and number - best_at >= stop_after:
            break
    return found


def has_stopped(trials: Sequence[Trial], stop_after: int | None) -> bool:
    """`trials` as `counted` returned them."""
    if stop_after is None or not trials:
        return False
    ranked_trials = ranked(trials)
    best_at = ranked_trials[0].number if ranked_trials else -1
    return trials[-1].number - best_at >= stop_after


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Best first, the earlier one of equals; those that can't be ranked are left out."""
    able = [trial for trial in trials if trial.score is not None]
    return sorted(able, key=lambda trial: (-(trial.score or 0.0), trial.number))
