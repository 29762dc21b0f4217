"""The same candles for all contenders."""

import random

Column = list[float]


def columns(count: int) -> tuple[Column, Column, Column]:
    """High, low and close of a seeded walk in ticks of 0.01."""
    numbers = random.Random(20240102)
    price = 100.0
    high, low, close = [], [], []
    for _ in range(count):
        price = max(1.0, round(price + numbers.gauss(0, 0.2), 2))
        close.append(price)
        high.append(round(price + abs(numbers.gauss(0, 0.1)), 2))
        low.append(round(price - abs(numbers.gauss(0, 0.1)), 2))
    return high, low, close


def agreed(*results: float) -> dict[str, float]:
    """What contenders must have come to: in the order of the entry's notes, band upper last."""
    names = ("sma", "ema", "rsi", "macd", "signal", "band", "atr")
    return {name: round(result, 6) for name, result in zip(names, results, strict=True)}
