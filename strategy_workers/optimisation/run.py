"""A study from what is asked for to its report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.backtests.plan import Plan
from strategy_workers.backtests.result import settings_of
from strategy_workers.optimisation.journal import SUFFIX, Journal, check_name
from strategy_workers.optimisation.judgement import study_report
from strategy_workers.optimisation.memory import InMemory
from strategy_workers.optimisation.objectives import ObjectiveSpec, parse_objective
from strategy_workers.optimisation.samplers import Sampler, make_sampler
from strategy_workers.optimisation.search import Progress, processes, work_on
from strategy_workers.optimisation.space import Point, Space, parse_space
from strategy_workers.optimisation.study import Search, Settings, has_stopped
from strategy_workers.optimisation.trial import Task, Trial, run_trial
from strategy_workers.sdk import InvalidParametersError

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True)
class Optimisation:
    #: Its parameters are left to the study.
    plan: Plan
    fixed: dict[str, Any]
    ranges: Sequence[str]
    search: Search
    #: None: all of a grid.
    trials: int | None
    objective: str
    min_trades: int
    stop_after: int | None
    seed: int


@dataclass(frozen=True)
class Prepared:
    """Checked, and ready to be worked on."""

    wanted: Optimisation
    plan: Plan
    space: Space
    objective: ObjectiveSpec
    trials: int
    settings: dict[str, Any]

    def sampler(self, offset: int = 0) -> Sampler:
        """`offset` gives studies of one seed a series of their own each."""
        wanted = self.wanted
        return make_sampler(wanted.search, self.space, wanted.trials, wanted.seed + 1000 * offset)

    def task(self, number: int, point: Point) -> Task:
        plan = with_parameters(self.plan, self.wanted.fixed, point)
        return Task(number, point, plan, self.objective, self.wanted.min_trades)


def prepared(wanted: Optimisation) -> Prepared:
    """Raises BadBacktestError."""
    space = parse_space(wanted.plan.strategy, wanted.ranges, wanted.fixed)
    objective = parse_objective(wanted.objective)
    sampler = make_sampler(wanted.search, space, wanted.trials, wanted.seed)
    trials = wanted.trials or len(sampler.points({}))
    settings = _settings(wanted, space, objective, trials).as_json()
    return Prepared(wanted, wanted.plan, space, objective, trials, settings)


def run_optimisation(
    wanted: Optimisation,
    name: str | None,
    place: Path | Engine | None,
    jobs: int,
    progress: Progress,
    *,
    resume: bool,
) -> tuple[dict[str, Any], list[Trial]]:
    """Report, and the trials that count. A named study is kept in a folder or in Postgres.

    Raises BacktestError, and OSError for the study's file.
    """
    ready = prepared(wanted)
    sampler = ready.sampler()
    with processes(jobs) as pool:
        if name is not None and not resume:
            # Data that can't be run must leave no study behind.
            check_name(name)
            pool.submit(run_trial, ready.task(0, sampler.points({})[0])).result()
        if name is None or place is None:
            study: Any = InMemory()
        elif isinstance(place, Path):
            path = place / f"{check_name(name)}{SUFFIX}"
            study = Journal.open(path, ready.settings, resume=resume)
        else:
            from strategy_workers.optimisation.shared_study import SharedStudy

            study = SharedStudy.open(place, name, ready.settings, resume=resume)
        with closing(study):
            found = work_on(
                study, sampler, ready.task, pool,
                jobs=jobs, trials=ready.trials, stop_after=wanted.stop_after, progress=progress,
            )  # fmt: skip
    stopped = has_stopped(found, wanted.stop_after)
    return study_report(ready.settings, found, stopped), found


def with_parameters(plan: Plan, fixed: dict[str, Any], point: Point) -> Plan:
    """Raises BadBacktestError."""
    try:
        values = plan.strategy.parse_parameters({**fixed, **point})
    except InvalidParametersError as error:
        raise BadBacktestError(str(error)) from error
    return replace(plan, parameters=values)


def _settings(
    wanted: Optimisation, space: Space, objective: ObjectiveSpec, trials: int
) -> Settings:
    run = settings_of(wanted.plan, ())
    # Symbols are those of the files, and parameters what is looked for.
    del run["symbols"]
    run["parameters"] = dict(wanted.fixed)
    return Settings(
        search=wanted.search,
        trials=trials,
        seed=wanted.seed,
        objective=objective.text,
        objective_sha256=objective.sha256,
        min_trades=wanted.min_trades,
        stop_after=wanted.stop_after,
        space=space.as_json(),
        run=run,
    )
