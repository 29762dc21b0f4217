"""What is said of a study: its best trials, and how much of that may be luck."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import variance
from typing import Any

from shared.metrics.deflated_sharpe import deflated_sharpe, expected_best_sharpe
from shared.metrics.overfitting import overfitting_probability
from shared.metrics.sharpe import PERIODS_A_YEAR
from strategy_workers.optimisation.study import ranked
from strategy_workers.optimisation.trial import Trial

#: As sure as one wants to be that the best trial isn't luck.
_SURE = 0.95
_EVEN = 0.5


def study_report(
    settings: dict[str, Any], trials: Sequence[Trial], stopped: bool
) -> dict[str, Any]:
    """`trials` as they count, in their order."""
    best = ranked(trials)
    found = overfitting(trials)
    return {
        "settings": settings,
        "trials": len(trials),
        "ranked": len(best),
        "stopped_early": stopped,
        "best": trial_row(best[0]) if best else None,
        "overfitting": found,
        "warnings": warnings(found) if best else ["no trial could be ranked"],
    }


def trial_row(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "parameters": trial.point,
        "score": trial.score,
        "equity": trial.equity,
        "executions": trial.executions,
        "metrics": trial.metrics,
    }


def overfitting(trials: Sequence[Trial]) -> dict[str, Any]:
    """Of daily returns; None where there are too few days, or trials, to say."""
    best = ranked(trials)
    known = [trial.moments.sharpe for trial in trials if trial.moments is not None]
    deflated = luck = None
    if best and best[0].moments is not None and len(known) > 1:
        spread = variance(known)
        deflated = deflated_sharpe(best[0].moments, len(trials), spread)
        luck = expected_best_sharpe(len(trials), spread) * PERIODS_A_YEAR**0.5
    blocks = [trial.blocks for trial in trials if trial.blocks is not None]
    sizes = {tuple(block.returns for block in each) for each in blocks}
    comparable = len(blocks) == len(trials) and len(sizes) == 1
    return {
        "deflated_sharpe": deflated,
        #: Annualised; what the best of so many trials without skill would show.
        "sharpe_of_luck": luck,
        "overfitting_probability": overfitting_probability(blocks) if comparable else None,
    }


def warnings(found: dict[str, Any]) -> list[str]:
    said = []
    deflated, probability = found["deflated_sharpe"], found["overfitting_probability"]
    if deflated is None:
        said.append("there are too few days or trials to tell the best trial from luck")
    elif deflated < _SURE:
        said.append(
            f"the best trial has skill with a probability of {deflated:.0%} only,"
            f" after {found['sharpe_of_luck']:.2f} of Sharpe ratio that luck explains"
        )
    if probability is not None and probability >= _EVEN:
        said.append(
            f"choosing the best was worth nothing in {probability:.0%} of the divisions of the time"
        )
    return said
