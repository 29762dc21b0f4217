"""One backtest, from the plan to the result."""

from strategy_workers.backtests.candles_run import run_candles
from strategy_workers.backtests.outcome import Progress, no_progress
from strategy_workers.backtests.plan import Plan
from strategy_workers.backtests.result import Result, judged
from strategy_workers.backtests.trades_run import run_trades


def run_backtest(plan: Plan, progress: Progress = no_progress) -> Result:
    """Raises BadBacktestError for what can't be run, StrategyRaisedError when a hook raises."""
    run = run_trades if plan.source == "trades" else run_candles
    return judged(plan, run(plan, progress))
