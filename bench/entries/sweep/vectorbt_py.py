"""vectorbt: all combinations as columns of one array, in compiled loops."""

# mypy: disable-error-code="import-not-found"

import sys
import time
from itertools import product

import numpy as np
import pandas as pd
import vectorbt as vbt

from bench.entries.backtest.bars import CASH, EPSILON, SIZE, bars
from bench.entries.sweep.grid import FASTS, SLOWS
from bench.measuring import report


def _run(opens: pd.Series, closes: pd.Series) -> dict[str, int]:
    combinations = list(product(FASTS, SLOWS))
    quick = vbt.MA.run(closes, [fast for fast, _ in combinations]).ma.to_numpy()
    calm = vbt.MA.run(closes, [slow for _, slow in combinations]).ma.to_numpy()
    # Decisions begin with the second value, and the one of the last bar has no next open.
    known = np.arange(len(closes))[:, None] >= np.array([slow for _, slow in combinations])
    known[-1] = False
    portfolio = vbt.Portfolio.from_signals(
        closes,
        entries=(quick > calm + EPSILON) & known,
        exits=(quick < calm - EPSILON) & known,
        price=opens.shift(-1),
        size=SIZE,
        init_cash=CASH,
        freq="1min",
    )
    values = portfolio.final_value()
    return {
        "fills": int(portfolio.orders.count().sum()),
        "cents": int((values * 100).round().sum()),
    }


def main(count: int) -> None:
    data = bars(count)
    index = pd.DatetimeIndex(pd.to_datetime(list(data.at_ns)))
    opens, closes = pd.Series(data.open, index=index), pd.Series(data.close, index=index)
    began_s = time.perf_counter()
    _run(opens[:200], closes[:200])
    ready_s = time.perf_counter() - began_s
    cpu_s, began_s = time.process_time(), time.perf_counter()
    checks = _run(opens, closes)
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    report(count * len(FASTS) * len(SLOWS), wall_s, cpu_s, checks, {"ready_s": ready_s})


if __name__ == "__main__":
    main(int(sys.argv[1]))
