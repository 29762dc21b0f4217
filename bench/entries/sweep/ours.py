import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

import polars as pl

from bench.entries.backtest.bars import CASH, bars
from bench.entries.backtest.ours import Crossover
from bench.entries.sweep.grid import FASTS, SLOWS
from bench.measuring import report
from shared.candles.calendar import SessionCalendar
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.backtests.run import run_backtest
from strategy_workers.optimisation.memory import InMemory
from strategy_workers.optimisation.run import Optimisation, prepared, with_parameters
from strategy_workers.optimisation.search import processes, work_on
from strategy_workers.optimisation.trial import Trial, run_trial

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _plan(count: int, folder: Path) -> Plan:
    data = bars(count)
    path = folder / "AAA.parquet"
    pl.DataFrame(
        {
            "timestamp": pl.Series(data.at_ns, dtype=pl.Int64).cast(pl.Datetime("ns")),
            **{name: getattr(data, name) for name in ("open", "high", "low", "close", "volume")},
        }
    ).write_parquet(path)
    free = Decimal(0)
    return Plan(
        strategy=Crossover,
        parameters=Crossover.parse_parameters({}),
        timeframe="1m",
        source="candles",
        files=(path,),
        calendar=SessionCalendar.continuous(),
        terms=Terms(capital=Decimal(CASH), fee_bps=free, slippage_bps=free, exchange="24/7"),
    )


def _cpu_s(pool: ProcessPoolExecutor) -> float:
    """Of the pool's processes and of this one."""
    used = time.process_time()
    for pid in pool._processes:  # noqa: SLF001
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) * _TICK_S
    return used


def main(count: int) -> None:
    jobs = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        plan = _plan(count, Path(folder))
        ranges = [f"{name}={','.join(map(str, values))}" for name, values in
                  (("fast", FASTS), ("slow", SLOWS))]  # fmt: skip
        ready = prepared(
            Optimisation(plan, {}, ranges, "grid", None, "profit", 1, stop_after=None, seed=0)
        )
        began_s = time.perf_counter()
        with processes(jobs) as pool:
            first = ready.task(0, ready.sampler().points({})[0])
            for done in [pool.submit(run_trial, first) for _ in range(jobs * 3)]:
                done.result()
            ready_s = time.perf_counter() - began_s
            cpu_s, began_s = _cpu_s(pool), time.perf_counter()
            trials = work_on(
                InMemory(), ready.sampler(), ready.task, pool,
                jobs=jobs, trials=ready.trials, stop_after=None, progress=lambda _found, _of: None,
            )  # fmt: skip
            wall_s, cpu_s = time.perf_counter() - began_s, _cpu_s(pool) - cpu_s
        for trial in trials[::10]:
            _compare(plan, trial)
    checks = {
        "fills": sum(trial.executions for trial in trials),
        "cents": sum(round(Decimal(trial.equity) * 100) for trial in trials),
    }
    report(count * len(trials), wall_s, cpu_s, checks, {"ready_s": ready_s})


def _compare(plan: Plan, trial: Trial) -> None:
    single = run_backtest(with_parameters(plan, {}, trial.point))
    equal = (
        single.outcome.equity == Decimal(trial.equity)
        and len(single.outcome.executions) == trial.executions
        and single.metrics.sharpe == trial.metrics["sharpe"]
    )
    if not equal:
        raise RuntimeError(f"the trial of {trial.point} is not the single run")


if __name__ == "__main__":
    main(int(sys.argv[1]))
