"""What is said of a walk-forward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

from shared.metrics.downsample import downsampled
from strategy_workers.backtests.result import CURVE_POINTS, plain_text, time_text
from strategy_workers.optimisation.stitching import stitched, stitched_metrics
from strategy_workers.optimisation.walk_forward import Step

_SURE = 0.95
_EVEN = 0.5


def walk_report(settings: dict[str, Any], steps: Sequence[Step]) -> dict[str, Any]:
    stretches = [step.stretch for step in steps]
    names = [one["name"] for one in settings["space"]]
    metrics = stitched_metrics(stretches)
    efficiency = _efficiency(steps, metrics["annual_return_fraction"])
    return {
        "settings": settings,
        "equity": plain_text(stretches[-1].equity),
        "metrics": metrics,
        "efficiency_fraction": efficiency,
        "stability": stability(steps, names),
        "sat_out": sum(step.best is None for step in steps),
        "warnings": _warnings(metrics, steps, efficiency),
        "windows": [_window(step) for step in steps],
        "equity_curve": [
            [time_text(at_us), plain_text(equity)]
            for at_us, equity in downsampled(stitched(stretches, shown=True), CURVE_POINTS)
        ],
    }


def stability(steps: Sequence[Step], names: Sequence[str]) -> dict[str, Any]:
    """Of each parameter, over the windows that chose one: do neighbours choose alike?"""
    chosen = [step.best.point for step in steps if step.best is not None]
    found = {}
    for name in names:
        values = [point[name] for point in chosen]
        kept = [one == other for one, other in pairwise(values)]
        found[name] = {
            "values": values,
            "distinct": len({str(value) for value in values}),
            #: Share of the windows that chose the same as the one before.
            "kept_fraction": fmean(kept) if kept else None,
            **_spread(values),
        }
    return found


def _spread(values: Sequence[Any]) -> dict[str, float | None]:
    """Mean, and standard deviation as a fraction of it; None of words."""
    try:
        numbers = [float(value) for value in values if not isinstance(value, bool)]
    except ValueError:
        numbers = []
    if len(numbers) < 2 or len(numbers) < len(values):
        return {"mean": None, "deviation_fraction": None}
    mean = fmean(numbers)
    return {"mean": mean, "deviation_fraction": pstdev(numbers) / abs(mean) if mean else None}


def _efficiency(steps: Sequence[Step], annual: float | None) -> float | None:
    """Annual return out of sample over the mean of the chosen ones in sample.

    None where either is undefined, or nothing was earned in sample.
    """
    inside = [
        step.best.metrics["annual_return_fraction"] for step in steps if step.best is not None
    ]
    known = [one for one in inside if one is not None]
    if annual is None or not known or len(known) < len(inside) or fmean(known) <= 0:
        return None
    return annual / fmean(known)


def _window(step: Step) -> dict[str, Any]:
    stretch = step.stretch
    return {
        **step.window.as_json(),
        "from": time_text(stretch.begin_us),
        "to": time_text(stretch.end_us),
        "trials": step.trials,
        "parameters": None if step.best is None else step.best.point,
        "score": None if step.best is None else step.best.score,
        "in_sample_metrics": None if step.best is None else step.best.metrics,
        "overfitting": step.overfitting,
        "capital": plain_text(stretch.capital),
        "equity": plain_text(stretch.equity),
        "executions": stretch.executions,
        "metrics": stitched_metrics([stretch]),
    }


def _warnings(
    metrics: dict[str, Any], steps: Sequence[Step], efficiency: float | None
) -> list[str]:
    said = []
    skill = metrics["skill_probability"]
    if skill is None:
        said.append("there are too few days out of sample to tell the result from luck")
    elif skill < _SURE:
        said.append(
            "the result out of sample is better than nothing with a probability of"
            f" {skill:.0%} only"
        )
    known = [
        step.overfitting["overfitting_probability"]
        for step in steps
        if step.overfitting["overfitting_probability"] is not None
    ]
    if known and fmean(known) >= _EVEN:
        said.append(
            f"choosing the best in sample was worth nothing in {fmean(known):.0%} of the divisions"
            " of its time"
        )
    if efficiency is not None and efficiency < _EVEN:
        said.append(f"{efficiency:.0%} of the annual return in sample is left out of sample")
    return said
