"""One trial: a backtest with one combination of parameters, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from shared.metrics.deflated_sharpe import Moments, moments
from shared.metrics.overfitting import Block, blocks_of
from shared.metrics.sharpe import daily_returns
from strategy_workers.backtests.candle_market import CandleMarket, load_market
from strategy_workers.backtests.candles_run import CandlesRun
from strategy_workers.backtests.outcome import Outcome, no_progress
from strategy_workers.backtests.plan import Plan
from strategy_workers.backtests.result import Measured, measured_run, plain_text
from strategy_workers.backtests.trades_run import run_trades
from strategy_workers.optimisation.objectives import ObjectiveSpec

#: Markets that a process keeps: a walk-forward study has two for each window.
_MARKETS_KEPT = 2
#: A Sharpe ratio of fewer says nothing about skill.
LEAST_DAYS = 20
_markets: dict[Any, CandleMarket] = {}


@dataclass(frozen=True)
class Task:
    number: int
    #: Those of the space; the plan has all of them, parsed.
    point: dict[str, Any]
    plan: Plan
    objective: ObjectiveSpec
    min_trades: int


@dataclass(frozen=True)
class Trial:
    number: int
    point: dict[str, Any]
    #: None: can't be ranked.
    score: float | None
    #: As in `summary`.
    metrics: dict[str, Any]
    equity: str
    executions: int
    #: Of the daily returns; None where there are too few, or they don't vary.
    moments: Moments | None
    blocks: list[Block] | None

    def as_json(self) -> dict[str, Any]:
        blocks = None if self.blocks is None else [list(one) for one in self.blocks]
        return asdict(self) | {"blocks": blocks}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Trial:
        found, blocks = body["moments"], body["blocks"]
        return cls(
            **body
            | {
                "moments": None if found is None else Moments(**found),
                "blocks": None if blocks is None else [Block(*one) for one in blocks],
            }
        )


def run_trial(task: Task) -> Trial:
    """Raises BacktestError."""
    outcome = run_in_process(task.plan)
    found = measured_run(task.plan, outcome)
    metrics = metrics_json(found)
    enough = found.metrics.trades >= task.min_trades
    returns = daily_returns(found.telling)
    return Trial(
        number=task.number,
        point=task.point,
        score=task.objective.score(metrics) if enough else None,
        metrics=metrics,
        equity=plain_text(outcome.equity),
        executions=len(outcome.executions),
        moments=moments(returns) if len(returns) >= LEAST_DAYS else None,
        blocks=blocks_of(returns),
    )


def metrics_json(found: Measured) -> dict[str, Any]:
    return {
        name: plain_text(value) if isinstance(value, Decimal) else value
        for name, value in asdict(found.metrics).items()
    }


def run_in_process(plan: Plan) -> Outcome:
    """As `run_backtest` does, with a market that is read once by each process."""
    if plan.source == "trades":
        return run_trades(plan, no_progress)
    timeframes = tuple(dict.fromkeys((plan.timeframe, *plan.strategy.timeframes)))
    return CandlesRun(plan, _market(plan, timeframes), no_progress).run()


def _market(plan: Plan, timeframes: Sequence[Any]) -> CandleMarket:
    key = (
        plan.files,
        plan.timerange,
        plan.history,
        plan.terms.exchange,
        plan.timeframe,
        tuple(timeframes),
    )
    market = _markets.pop(key, None)
    if market is None:
        market = load_market(plan, timeframes)
        market.keep_moments()
    _markets[key] = market  # the newest last
    while len(_markets) > _MARKETS_KEPT:
        del _markets[next(iter(_markets))]
    return market
