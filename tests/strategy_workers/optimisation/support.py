"""Trials as they would come out, without a backtest."""

from typing import Any

from strategy_workers.optimisation.trial import Trial
from strategy_workers.sdk import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    ParameterError,
    Strategy,
)

METRICS = {
    "total_return_fraction": 0.1,
    "max_drawdown_fraction": 0.05,
    "sharpe": 1.0,
    "trades": 7,
}


class Tuned(Strategy):
    name = "tuned"
    fast = IntParameter(default=5, low=1, high=50)
    slow = IntParameter(default=20, low=2, high=60)
    share = DecimalParameter(default=1, low=0, high=2)
    kind = CategoricalParameter(default="a", choices=("a", "b", "c"))
    loud = BooleanParameter(default=False)

    def check_parameters(self) -> None:
        if self.fast >= self.slow:
            raise ParameterError("fast", "must be below slow")


def a_trial(number: int, score: float | None, point: dict[str, Any] | None = None) -> Trial:
    return Trial(number, point or {"fast": number}, score, METRICS, "100", 3, None, None)
