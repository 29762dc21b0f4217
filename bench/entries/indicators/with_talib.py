"""TA-Lib: handles that go on candle by candle, or the latest 500 candles anew each time."""

import sys

import numpy as np
import talib
from talib import stream

from bench.entries.indicators.market import agreed, columns
from bench.measuring import measure

_HISTORY = 100
_WINDOW = 500


def by_handles(count: int) -> None:
    high, low, close = columns(count)
    begin = [np.array(column[:_HISTORY]) for column in (high, low, close)]
    price = begin[2]
    six = (
        *(stream.SMA(price, 20), stream.EMA(price, 20), stream.RSI(price, 14)),
        *(stream.MACD(price, 12, 26, 9), stream.BBANDS(price, 20, 2.0, 2.0)),
        stream.ATR(*begin, 14),
    )
    sma, ema, rsi, macd, bands, atr = (one.update for one in six)

    def work() -> None:
        for top, bottom, last in zip(
            high[_HISTORY:], low[_HISTORY:], close[_HISTORY:], strict=True
        ):
            sma(last)
            ema(last)
            rsi(last)
            macd(last)
            bands(last)
            atr(top, bottom, last)

    def facts() -> dict[str, float]:
        values = [one.value for one in six]
        return agreed(*values[:3], values[3][0], values[3][1], values[4][0], values[5])

    measure(work, count - _HISTORY, facts)


def by_window(count: int) -> None:
    high, low, close = (np.array(column) for column in columns(count))
    latest: list[float] = []

    def work() -> None:
        for end in range(_WINDOW, count + 1):
            window = slice(end - _WINDOW, end)
            price = close[window]
            sma = talib.SMA(price, 20)
            ema = talib.EMA(price, 20)
            rsi = talib.RSI(price, 14)
            macd, signal, _ = talib.MACD(price, 12, 26, 9)
            upper, _, _ = talib.BBANDS(price, 20, 2.0, 2.0)
            atr = talib.ATR(high[window], low[window], price, 14)
            latest[:] = [line[-1] for line in (sma, ema, rsi, macd, signal, upper, atr)]

    measure(work, count - _WINDOW + 1, lambda: agreed(*map(float, latest)))


if __name__ == "__main__":
    {"stream": by_handles, "window": by_window}[sys.argv[2]](int(sys.argv[1]))
