"""Walk-forward: choose parameters in a window, run them in the days after it, stitch the runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from strategy_workers.backtests.candle_files import read_candles
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.plan import Plan
from strategy_workers.optimisation.journal import SUFFIX, Journal, check_name
from strategy_workers.optimisation.judgement import overfitting
from strategy_workers.optimisation.memory import InMemory
from strategy_workers.optimisation.run import Optimisation, Prepared, prepared, with_parameters
from strategy_workers.optimisation.search import processes, work_on
from strategy_workers.optimisation.stitching import Stretch, idle_stretch, stretch_of
from strategy_workers.optimisation.study import ranked
from strategy_workers.optimisation.trial import Task, Trial, run_in_process, run_trial
from strategy_workers.optimisation.windows import Window, walk_windows

#: Called with the window, of how many, its finished trials, of how many.
WalkProgress = Callable[[int, int, int, int], None]


@dataclass(frozen=True)
class Walk:
    search: Optimisation
    in_sample_days: int
    out_of_sample_days: int
    anchored: bool


@dataclass(frozen=True)
class Step:
    """One window, done."""

    window: Window
    #: None: no trial could be ranked, and the window was sat out.
    best: Trial | None
    trials: int
    overfitting: dict[str, Any]
    stretch: Stretch


def run_walk_forward(
    walk: Walk,
    name: str | None,
    folder: Path | None,
    jobs: int,
    progress: WalkProgress,
    *,
    resume: bool,
) -> tuple[dict[str, Any], list[Step]]:
    """Settings, and all windows. Raises BacktestError, and OSError for the studies' files."""
    plan = walk.search.plan
    if plan.source != "candles":
        raise BadBacktestError("a walk-forward runs over --candles")
    whole = prepared(walk.search)
    settings = whole.settings | {
        "in_sample_days": walk.in_sample_days,
        "out_of_sample_days": walk.out_of_sample_days,
        "anchored": walk.anchored,
    }
    path = None if name is None or folder is None else folder / check_name(name)
    if path is not None and path.exists() and not resume:
        raise BadBacktestError(f"there is a walk-forward {name} already: --resume goes on with it")
    if path is not None and not path.exists() and resume:
        raise BadBacktestError(f"there is no walk-forward {name} to resume")
    with processes(jobs) as pool:
        days = pool.submit(days_with_candles, plan).result()
        windows = walk_windows(
            days, walk.in_sample_days, walk.out_of_sample_days, anchored=walk.anchored
        )
        first = _in_window(plan, windows[0])
        pool.submit(run_trial, _task(whole, first, 0)).result()
        capital, steps = plan.terms.capital, []
        for window in windows:
            step = _step(
                whole, walk, window, len(windows), capital, path, settings, pool, jobs, progress
            )
            capital = step.stretch.equity
            if capital <= 0:
                raise BadBacktestError(
                    f"nothing is left after the days {window.out_of_sample} out of sample"
                )
            steps.append(step)
    return settings, steps


def _step(
    whole: Prepared,
    walk: Walk,
    window: Window,
    windows: int,
    capital: Decimal,
    path: Path | None,
    settings: dict[str, Any],
    pool: ProcessPoolExecutor,
    jobs: int,
    progress: WalkProgress,
) -> Step:
    own = replace(whole, plan=_in_window(whole.plan, window))
    if path is None:
        study: Any = InMemory()
    else:
        file = path / f"window-{window.number + 1:04}{SUFFIX}"
        study = Journal.open(file, settings | {"window": window.as_json()}, resume=file.exists())
    with closing(study):
        trials = work_on(
            study,
            own.sampler(window.number),
            own.task,
            pool,
            jobs=jobs,
            trials=own.trials,
            stop_after=walk.search.stop_after,
            progress=lambda found, total: progress(window.number, windows, len(found), total),
        )
    best = ranked(trials)
    after = replace(
        whole.plan,
        timerange=window.out_of_sample,
        history=window.in_sample,
        terms=replace(whole.plan.terms, capital=capital),
    )
    if best:
        chosen = with_parameters(after, walk.search.fixed, best[0].point)
        stretch = pool.submit(run_stretch, chosen).result()
    else:
        stretch = idle_stretch(
            capital, after.timerange.start_ns // 1000, after.timerange.end_ns // 1000
        )
    return Step(window, best[0] if best else None, len(trials), overfitting(trials), stretch)


def run_stretch(plan: Plan) -> Stretch:
    return stretch_of(plan, run_in_process(plan))


def days_with_candles(plan: Plan) -> list[date]:
    """UTC, ascending, of any symbol, within the plan's range. Raises BadBacktestError."""
    starts = pl.concat([rows["start_ns"] for rows in read_candles(plan.files).values()])
    inside = starts.filter((starts >= plan.timerange.start_ns) & (starts < plan.timerange.end_ns))
    days = (inside // 86_400_000_000_000).unique().sort().to_list()
    return [datetime.fromtimestamp(day * 86_400, UTC).date() for day in days]


def _in_window(plan: Plan, window: Window) -> Plan:
    return replace(plan, timerange=window.in_sample)


def _task(whole: Prepared, plan: Plan, number: int) -> Task:
    return replace(whole, plan=plan).task(number, whole.sampler(0).points({})[0])
