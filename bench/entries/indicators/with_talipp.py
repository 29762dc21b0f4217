"""talipp's incremental indicators."""

# mypy: disable-error-code="import-not-found"

import sys

from talipp.indicators import ATR, BB, EMA, MACD, RSI, SMA
from talipp.ohlcv import OHLCV

from bench.entries.indicators.market import agreed, columns
from bench.measuring import measure


def main(count: int) -> None:
    candles = [
        OHLCV(low, high, low, close) for high, low, close in zip(*columns(count), strict=True)
    ]
    six = SMA(20), EMA(20), RSI(14), MACD(12, 26, 9), BB(20, 2.0), ATR(14)
    sma, ema, rsi, macd, bands, atr = (one.add for one in six)

    def work() -> None:
        for candle in candles:
            close = candle.close
            sma(close)
            ema(close)
            rsi(close)
            macd(close)
            bands(close)
            atr(candle)

    def facts() -> dict[str, float]:
        last = [one[-1] for one in six]
        # Its averages begin a few candles apart from TA-Lib's; that has faded long ago.
        return agreed(
            *(last[0], last[1], last[2], last[3].macd, last[3].signal, last[4].ub, last[5])
        )

    measure(work, count, facts)


if __name__ == "__main__":
    main(int(sys.argv[1]))
