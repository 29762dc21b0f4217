import gc
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import polars as pl

from bench.entries.backtest.bars import CASH, EPSILON, FAST, SIZE, SLOW, bars
from bench.measuring import report
from shared.candles.calendar import SessionCalendar
from shared.trading.paper_terms import FREE
from strategy_workers.backtests.candle_market import CandleMarket, load_market
from strategy_workers.backtests.candles_run import CandlesRun
from strategy_workers.backtests.outcome import no_progress
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.backtests.result import judged
from strategy_workers.sdk import SMA, Candle, IntParameter, Strategy


class Crossover(Strategy):
    name = "crossover"

    fast = IntParameter(default=FAST, low=2, high=500)
    slow = IntParameter(default=SLOW, low=3, high=1000)

    def on_start(self) -> None:
        self.quick = self.indicator(SMA, self.fast)
        self.calm = self.indicator(SMA, self.slow)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        if self.calm.previous(symbol) is None:  # backtesting.py begins with the second value, too
            return
        quick, calm = self.quick[symbol], self.calm[symbol]
        assert quick is not None
        assert calm is not None
        if quick > calm + EPSILON:
            if not self.position(symbol):
                self.buy(symbol, SIZE)
        elif quick < calm - EPSILON and self.position(symbol):
            self.close(symbol)


def _market(count: int, folder: Path) -> tuple[Plan, CandleMarket]:
    data = bars(count)
    path = folder / "AAA.parquet"
    pl.DataFrame(
        {
            "timestamp": pl.Series(data.at_ns, dtype=pl.Int64).cast(pl.Datetime("ns")),
            **{name: getattr(data, name) for name in ("open", "high", "low", "close", "volume")},
        }
    ).write_parquet(path)
    plan = Plan(
        strategy=Crossover,
        parameters=Crossover.parse_parameters({}),
        timeframe="1m",
        source="candles",
        files=(path,),
        calendar=SessionCalendar.continuous(),
        terms=Terms(capital=Decimal(CASH), paper=FREE, exchange="24/7"),
    )
    return plan, load_market(plan, ("1m",))


def main(count: int, *, reports: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.perf_counter()
        plan, market = _market(count, Path(folder))
        load_s = time.perf_counter() - began_s
        gc.collect()
        cpu_s, began_s = time.process_time(), time.perf_counter()
        outcome = CandlesRun(plan, market, no_progress).run()
        if reports:
            judged(plan, outcome)
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    checks = {"fills": len(outcome.executions), "cents": round(outcome.equity * 100)}
    report(count, wall_s, cpu_s, checks, {"load_s": load_s})


if __name__ == "__main__":
    main(int(sys.argv[1]), reports="report" in sys.argv)
