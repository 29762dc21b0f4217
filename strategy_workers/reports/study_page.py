"""A study as a page."""

from collections.abc import Sequence
from typing import Any

from strategy_workers.optimisation.judgement import trial_row
from strategy_workers.optimisation.study import ranked
from strategy_workers.optimisation.trial import Trial
from strategy_workers.reports.charts import Line, numbered_chart, scatter_chart
from strategy_workers.reports.figures import number, percent, settings_rows
from strategy_workers.reports.page import page, pairs, paragraph, section, table

TRIAL_HEADS = ("trial", "score", "return", "drawdown", "Sharpe", "trades")
_MOST_TRIALS = 100


def study_page(title: str, report: dict[str, Any], trials: Sequence[Trial]) -> str:
    best = ranked(trials)
    names = [one["name"] for one in report["settings"]["space"]]
    parts = [paragraph(f"Beware: {warning}.", "warning") for warning in report["warnings"]]
    parts.append(section("Overfitting", pairs(overfitting_rows(report["overfitting"]))))
    parts.append(section("Score of each trial, and the best so far", _progress(trials)))
    for name in names:
        points = [
            (float(trial.point[name]), trial.score or 0.0)
            for trial in best
            if _is_number(trial.point[name])
        ]
        if points:
            parts.append(section(f"Score by {name}", scatter_chart(points)))
    rows = [[*trial_cells(trial), *map(str, trial.point.values())] for trial in best[:_MOST_TRIALS]]
    parts.append(section("Best trials", table((*TRIAL_HEADS, *names), rows)))
    settings = report["settings"]
    whole = {key: each for key, each in settings.items() if key not in ("run", "space")}
    parts.append(
        section("Settings", pairs([*settings_rows(whole), *settings_rows(settings["run"])]))
    )
    return page(title, parts)


def overfitting_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("deflated Sharpe", percent(found["deflated_sharpe"])),
        ("Sharpe of luck", number(found["sharpe_of_luck"])),
        ("overfitting", percent(found["overfitting_probability"])),
    ]


def trial_cells(trial: Trial) -> list[str]:
    row = trial_row(trial)
    metrics = row["metrics"]
    return [
        str(trial.number),
        "none" if trial.score is None else f"{trial.score:.4f}",
        percent(metrics["total_return_fraction"]),
        percent(metrics["max_drawdown_fraction"]),
        number(metrics["sharpe"]),
        str(metrics["trades"]),
    ]


def _progress(trials: Sequence[Trial]) -> str:
    scored = [trial for trial in trials if trial.score is not None]
    numbers = [trial.number for trial in scored]
    scores = [trial.score or 0.0 for trial in scored]
    best = [max(scores[: n + 1]) for n in range(len(scores))]
    return numbered_chart([Line("score", numbers, scores), Line("best so far", numbers, best)])


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
