"""Candles to calculate over."""

import random
from collections.abc import Sequence

from shared.models.identifiers import Symbol
from shared.models.market import Candle

MINUTE_NS = 60_000_000_000
#: 2026-01-05 00:00 UTC.
BEGIN_NS = 1_767_571_200 * 1_000_000_000


def candle(number: int, high: float, low: float, close: float, volume: float) -> Candle:
    """The one that starts `number` minutes after the begin."""
    start_ns = BEGIN_NS + number * MINUTE_NS
    return Candle(
        symbol=Symbol("SPY"),
        timeframe="1m",
        start_ns=start_ns,
        end_ns=start_ns + MINUTE_NS,
        open=low,
        high=high,
        low=low,
        close=close,
        volume=volume,
        vwap=(high + low + 2 * close) / 4,
        trades=1,
    )


def walk(count: int, seed: int) -> list[float]:
    steps = random.Random(seed)
    price, prices = 100.0, []
    for _ in range(count):
        price = max(1.0, round(price + steps.gauss(0, 0.2), 2))
        prices.append(price)
    return prices


def candles(count: int, seed: int = 1) -> list[Candle]:
    """A walk in ticks of 0.01, with candles that don't move and some without volume."""
    numbers = random.Random(seed)
    made = []
    for number, close in enumerate(walk(count, seed)):
        high = round(close + max(0.0, numbers.gauss(0.05, 0.2)), 2)
        low = round(close - max(0.0, numbers.gauss(0.05, 0.2)), 2)
        volume = float(max(0, int(numbers.gauss(500, 300))))
        made.append(candle(number, high, low, close, volume))
    return made


def trending(count: int) -> list[Candle]:
    """Up for a while, flat, down, flat: long stretches of one direction, and of none."""
    made = []
    price = 50.0
    for number in range(count):
        step = (0.25, 0.0, -0.25, 0.0)[number // 40 % 4]
        price += step
        made.append(candle(number, price + abs(step), price - abs(step), price, 100.0))
    return made


def rows(given: Sequence[tuple[float, float, float, float]]) -> list[Candle]:
    """From (one price, another, where the close lies between them, volume)."""
    made = []
    for number, (one, other, place, volume) in enumerate(given):
        low, high = min(one, other), max(one, other)
        made.append(candle(number, high, low, min(high, low + place * (high - low)), volume))
    return made
