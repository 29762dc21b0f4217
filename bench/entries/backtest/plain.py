"""No engine at all: the decision and the arithmetic in one loop."""

import sys
from collections import deque

from bench.entries.backtest.bars import CASH, EPSILON, FAST, SIZE, SLOW, bars
from bench.measuring import measure


def main(count: int) -> None:
    data = bars(count)
    opens, closes = data.open.tolist(), data.close.tolist()
    found: dict[str, int] = {}

    def work() -> None:
        quick: deque[float] = deque()
        calm: deque[float] = deque()
        quick_sum = calm_sum = worst = 0.0
        cash = peak = float(CASH)
        held = wanted = fills = 0
        for open_, close in zip(opens, closes, strict=True):
            if wanted != held:
                cash -= (wanted - held) * open_
                held = wanted
                fills += 1
            quick.append(close)
            quick_sum += close
            if len(quick) > FAST:
                quick_sum -= quick.popleft()
            calm.append(close)
            calm_sum += close
            ready = len(calm) > SLOW
            if ready:
                calm_sum -= calm.popleft()
            equity = cash + held * close
            if equity > peak:
                peak = equity
            elif peak - equity > worst:
                worst = peak - equity
            if ready:
                difference = quick_sum / FAST - calm_sum / SLOW
                if difference > EPSILON:
                    wanted = SIZE
                elif difference < -EPSILON:
                    wanted = 0
        found["fills"] = fills
        found["cents"] = round(100 * (cash + held * closes[-1]))

    measure(work, count, lambda: found)


if __name__ == "__main__":
    main(int(sys.argv[1]))
