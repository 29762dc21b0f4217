import gc
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import cast

import polars as pl

from bench.entries.orders.market import (
    BEGIN_NS,
    CASH,
    MINUTE_NS,
    RESTING_A_BAR,
    SIZE,
    VOLUME,
    Kind,
    bars,
    limit_cents,
)
from bench.measuring import report
from shared.candles.calendar import SessionCalendar
from shared.trading.paper_terms import FREE
from strategy_workers.backtests.candle_market import CandleMarket, load_market
from strategy_workers.backtests.candles_run import CandlesRun
from strategy_workers.backtests.outcome import no_progress
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.sdk import Candle, IntParameter, Strategy


class ByTurns(Strategy):
    name = "by_turns"
    orders = IntParameter(default=1, low=1, high=10_000_000)

    def on_start(self) -> None:
        self.left = self.orders

    def on_candle(self, candle: Candle) -> None:
        if not self.left:
            return
        self.left -= 1
        if self.position(candle.symbol):
            self.sell(candle.symbol, SIZE)
        else:
            self.buy(candle.symbol, SIZE)


class Resting(Strategy):
    name = "resting"
    orders = IntParameter(default=1, low=1, high=10_000_000)

    def on_start(self) -> None:
        self.sent = 0

    def on_candle(self, candle: Candle) -> None:
        until = min(self.sent + RESTING_A_BAR, self.orders)
        for number in range(self.sent, until):
            self.buy(candle.symbol, SIZE, Decimal(limit_cents(number)) / 100)
        self.sent = until


def _market(kind: Kind, orders: int, folder: Path) -> tuple[Plan, CandleMarket]:
    data = bars(kind, orders)
    path = folder / "AAA.parquet"
    columns = {name: [cents / 100 for cents in getattr(data, name)] for name in vars(data)}
    starts = [BEGIN_NS + number * MINUTE_NS for number in range(len(data.open))]
    pl.DataFrame(
        {
            "timestamp": pl.Series(starts, dtype=pl.Int64).cast(pl.Datetime("ns")),
            **columns,
            "volume": [float(VOLUME)] * len(starts),
        }
    ).write_parquet(path)
    strategy: type[Strategy] = ByTurns if kind == "market" else Resting
    plan = Plan(
        strategy=strategy,
        parameters=strategy.parse_parameters({"orders": orders}),
        timeframe="1m",
        source="candles",
        files=(path,),
        calendar=SessionCalendar.continuous(),
        terms=Terms(capital=Decimal(CASH), paper=FREE, exchange="24/7"),
    )
    return plan, load_market(plan, ("1m",))


def main(orders: int, kind: Kind) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan, market = _market(kind, orders, Path(folder))
        gc.collect()
        cpu_s, began_s = time.process_time(), time.perf_counter()
        outcome = CandlesRun(plan, market, no_progress).run()
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    paid = sum(int(one.price * one.qty * 100) for one in outcome.executions)
    report(orders, wall_s, cpu_s, {"fills": len(outcome.executions), "cents": paid})


if __name__ == "__main__":
    main(int(sys.argv[1]), cast("Kind", sys.argv[2]))
