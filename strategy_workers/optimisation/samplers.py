"""Which combination each trial takes: a function of the seed and of earlier trials alone.

Bayesian search goes by generations: a generation depends on the trials of those before it, and on
nothing else. So a study comes out the same with any number of workers, however often it was
interrupted, and several machines agree on its trials without talking.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from itertools import islice
from typing import Any, Protocol

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.optimisation.space import Point, Space
from strategy_workers.optimisation.study import Search
from strategy_workers.optimisation.trial import Trial

GENERATION = 8
#: Trials at random before the model has anything to learn from.
_STARTUP = 16
_ASKS = 64
_MOST_GRID = 100_000


class Sampler(Protocol):
    def points(self, results: Mapping[int, Trial]) -> list[Point]:
        """Those of the first trials, as many as are decided by now; each call adds to the last.

        The last call, when `results` has all of them, gives the same ones again.
        """
        ...


def make_sampler(search: Search, space: Space, trials: int | None, seed: int) -> Sampler:
    """`trials` None: all of a grid. Raises BadBacktestError."""
    if search == "grid":
        if space.size > _MOST_GRID:
            raise BadBacktestError(
                f"the grid has {space.size} combinations, and {_MOST_GRID} are the most:"
                " take larger steps, or search at random"
            )
        points = space.all()
        if trials is not None and trials < len(points):
            raise BadBacktestError(
                f"the grid has {len(points)} combinations, more than --trials {trials}:"
                " take larger steps, or search at random"
            )
        return _Listed(_some(points))
    if trials is None:
        raise BadBacktestError(f"a {search} search needs --trials")
    listed = _some(list(islice(space.shuffled(seed), trials)))
    return _Listed(listed) if search == "random" else _Bayes(space, listed, seed)


def _some(points: list[Point]) -> list[Point]:
    if not points:
        raise BadBacktestError("the strategy takes none of the combinations")
    return points


class _Listed:
    def __init__(self, points: list[Point]) -> None:
        self._points = points

    def points(self, _results: Mapping[int, Trial]) -> list[Point]:
        return self._points


class _Bayes:
    """Tree-structured Parzen estimator, by Optuna."""

    def __init__(self, space: Space, fallback: list[Point], seed: int) -> None:
        self._space = space
        #: In a random order: the first trials, and what is taken when the model repeats itself.
        self._fallback = fallback
        self._seed = seed
        self._points = fallback[:_STARTUP]

    def points(self, results: Mapping[int, Trial]) -> list[Point]:
        most = len(self._fallback)
        while len(self._points) < most and all(n in results for n in range(len(self._points))):
            earlier = [results[n] for n in range(len(self._points))]
            self._points = [*self._points, *self._next(earlier, most - len(self._points))]
        return self._points

    def _next(self, earlier: list[Trial], most: int) -> list[Point]:
        import optuna
        from optuna.trial import TrialState

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            sampler = optuna.samplers.TPESampler(
                seed=self._seed + len(earlier), multivariate=True, constant_liar=True
            )
            study = optuna.create_study(direction="maximize", sampler=sampler)
            distributions = self._distributions()
            for trial in earlier:
                state = TrialState.PRUNED if trial.score is None else TrialState.COMPLETE
                study.add_trial(
                    optuna.trial.create_trial(
                        params=self._places(trial.point), distributions=distributions,
                        value=trial.score, state=state,
                    )
                )  # fmt: skip
            taken = {_key(trial.point) for trial in earlier}
            found: list[Point] = []
            for _ in range(_ASKS):
                if len(found) == min(GENERATION, most):
                    return found
                asked = study.ask(distributions)
                point = self._space.point(
                    [asked.params[one.name] for one in self._space.dimensions]
                )
                if _key(point) in taken or not self._space.is_valid(point):
                    study.tell(asked, state=TrialState.PRUNED)
                    continue
                taken.add(_key(point))
                found.append(point)
        rest = (point for point in self._fallback if _key(point) not in taken)
        return [*found, *islice(rest, min(GENERATION, most) - len(found))]

    def _distributions(self) -> dict[str, Any]:
        """Over the places of the values."""
        from optuna.distributions import CategoricalDistribution, IntDistribution

        return {
            one.name: IntDistribution(0, len(one.values) - 1)
            if one.ordered
            else CategoricalDistribution(range(len(one.values)))
            for one in self._space.dimensions
        }

    def _places(self, point: Point) -> dict[str, int]:
        return {one.name: one.values.index(point[one.name]) for one in self._space.dimensions}


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)
