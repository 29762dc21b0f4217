"""What a study makes as large as it can."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from strategy_workers.backtests.errors import BacktestError, BadBacktestError

#: Metrics as `summary` has them, amounts as text. None: the run can't be ranked.
Objective = Callable[[dict[str, Any]], float | None]


def _of(name: str, sign: float = 1.0) -> Objective:
    def objective(metrics: dict[str, Any]) -> float | None:
        value = metrics[name]
        return None if value is None else sign * float(value)

    return objective


OBJECTIVES: dict[str, Objective] = {
    "sharpe": _of("sharpe"),
    "sortino": _of("sortino"),
    "calmar": _of("calmar"),
    "profit": _of("total_return_fraction"),
    "profit_factor": _of("profit_factor"),
    "expectancy": _of("expectancy"),
    "drawdown": _of("max_drawdown_fraction", -1.0),
}


class ObjectiveRaisedError(BacktestError):
    """A custom objective raised, or gave something else than a number or None."""


@dataclass(frozen=True)
class ObjectiveSpec:
    """One of `OBJECTIVES`, or a function in a file of the user's."""

    text: str
    sha256: str | None

    def score(self, metrics: dict[str, Any]) -> float | None:
        """Raises ObjectiveRaisedError."""
        objective = OBJECTIVES.get(self.text) or _custom(self.text)
        try:
            value = objective(metrics)
        except Exception as error:
            raise ObjectiveRaisedError(f"the objective {self.text} raised {error!r}") from error
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise ObjectiveRaisedError(f"the objective {self.text} gave {value!r}, not a number")
        return float(value)


def parse_objective(text: str) -> ObjectiveSpec:
    """A name, or `FILE.py:function`. Raises BadBacktestError."""
    if text in OBJECTIVES:
        return ObjectiveSpec(text, None)
    path, colon, _ = text.rpartition(":")
    if not colon or not path.endswith(".py"):
        names = ", ".join(OBJECTIVES)
        raise BadBacktestError(
            f"there is no objective {text}; there are {names}, or FILE.py:function"
        )
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise BadBacktestError(f"can't read {path}: {error.strerror}") from error
    _custom(text)
    return ObjectiveSpec(text, digest)


@cache
def _custom(text: str) -> Objective:
    path, _, name = text.rpartition(":")
    spec = importlib.util.spec_from_file_location("objective", path)
    assert spec is not None, "a path that ends with .py has a loader"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadBacktestError(f"{path} can't be loaded: {error!r}") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise BadBacktestError(f"{path} has no function {name}")
    objective: Objective = found
    return objective
