"""backtesting.py: indicators over the whole column, statistics always included."""

# mypy: disable-error-code="import-not-found"

import sys
from typing import Any

import backtesting.backtesting
import pandas as pd
from backtesting import Backtest, Strategy

from bench.entries.backtest.bars import CASH, EPSILON, FAST, SIZE, SLOW, bars
from bench.measuring import measure


def _average(values: Any, period: int) -> Any:
    return pd.Series(values).rolling(period).mean()


class Crossover(Strategy):  # type: ignore[misc]
    def init(self) -> None:
        self.quick = self.I(_average, self.data.Close, FAST, plot=False)
        self.calm = self.I(_average, self.data.Close, SLOW, plot=False)

    def next(self) -> None:
        if not self.position:
            if self.quick[-1] > self.calm[-1] + EPSILON:
                self.buy(size=SIZE)
        elif self.quick[-1] < self.calm[-1] - EPSILON:
            self.position.close()


def main(count: int) -> None:
    data = bars(count)
    frame = pd.DataFrame(
        {
            name.capitalize(): getattr(data, name)
            for name in ("open", "high", "low", "close", "volume")
        },
        index=pd.DatetimeIndex(pd.to_datetime(list(data.at_ns)), name="timestamp"),
    )
    # Its progress bar is not what is measured.
    vars(backtesting.backtesting)["_tqdm"] = lambda items, **_: items
    test = Backtest(frame, Crossover, cash=CASH, commission=0.0)
    found: dict[str, Any] = {}

    def work() -> None:
        found["statistics"] = test.run()

    def checks() -> dict[str, int]:
        statistics = found["statistics"]
        still_open = len(statistics["_strategy"].trades)
        return {
            "fills": int(statistics["# Trades"]) * 2 + still_open,
            "cents": round(float(statistics["Equity Final [$]"]) * 100),
        }

    measure(work, count, checks)


if __name__ == "__main__":
    main(int(sys.argv[1]))
