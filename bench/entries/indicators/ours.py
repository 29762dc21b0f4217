"""Our incremental indicators, one by one or shared through the board."""

import sys
from typing import Any

from bench.entries.indicators.market import agreed, columns
from bench.measuring import measure
from shared.indicators import ATR, EMA, MACD, RSI, SMA, BollingerBands
from shared.indicators.board import IndicatorBoard
from shared.models.identifiers import Symbol
from shared.models.market import Candle

_MINUTE_NS = 60_000_000_000
_SPY = Symbol("SPY")


def _candles(count: int) -> list[Candle]:
    return [
        Candle(
            symbol=_SPY,
            timeframe="1m",
            start_ns=number * _MINUTE_NS,
            end_ns=(number + 1) * _MINUTE_NS,
            open=low,
            high=high,
            low=low,
            close=close,
            volume=1.0,
            vwap=close,
            trades=1,
        )
        for number, (high, low, close) in enumerate(zip(*columns(count), strict=True))
    ]


def _facts(values: list[Any]) -> dict[str, float]:
    sma, ema, rsi, macd, bands, atr = values
    return agreed(sma, ema, rsi, macd[0], macd[1], bands[0], atr)


def one_by_one(count: int) -> None:
    candles = _candles(count)
    six = SMA(20), EMA(20), RSI(14), MACD(12, 26, 9), BollingerBands(20, 2.0), ATR(14)
    sma, ema, rsi, macd, bands = (one.update for one in six[:5])
    atr = six[5].update

    def work() -> None:
        for candle in candles:
            close = candle.close
            sma(close)
            ema(close)
            rsi(close)
            macd(close)
            bands(close)
            atr(candle)

    measure(work, count, lambda: _facts([one.value for one in six]))


def through_the_board(count: int) -> None:
    candles = _candles(count)
    board = IndicatorBoard()
    wanted: tuple[tuple[str, dict[str, object]], ...] = (
        *(("SMA", {"period": 20}), ("EMA", {"period": 20}), ("RSI", {})),
        *(("MACD", {}), ("BBANDS", {}), ("ATR", {})),
    )
    keys = [board.follow(_SPY, "1m", name, params) for name, params in wanted]

    def work() -> None:
        for candle in candles:
            board.take(candle)

    measure(work, count, lambda: _facts([board.value(key) for key in keys]))


if __name__ == "__main__":
    {"one": one_by_one, "board": through_the_board}[(*sys.argv, "one")[2]](int(sys.argv[1]))
