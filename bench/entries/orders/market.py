"""The same bars and orders for all. Standard library only."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["market", "resting"]

MINUTE_NS = 60_000_000_000
BEGIN_NS = int(datetime(2019, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000_000
SIZE, CASH, VOLUME = 10, 1_000_000_000, 1_000_000
_SEED = 20190102
#: Resting ones; of those at the market it is one.
RESTING_A_BAR = 100
_PRICES = 1000
_START_CENTS = 10_000


@dataclass(frozen=True)
class Bars:
    """One a minute, around the clock. In cents."""

    open: list[int]
    high: list[int]
    low: list[int]
    close: list[int]


def bars(kind: Kind, orders: int) -> Bars:
    """Long enough for `orders` and their fills."""
    numbers = random.Random(_SEED)
    closes = [_START_CENTS]
    if kind == "market":
        for _ in range(orders + 1):
            closes.append(max(1000, closes[-1] + numbers.randrange(-5, 6)))
    else:
        closes += [_START_CENTS] * (-(-orders // RESTING_A_BAR) + 1)
        closes += [_START_CENTS - 1 - number for number in range(_PRICES)]
    before, after = closes[:-1], closes[1:]
    return Bars(
        before,
        [max(pair) for pair in zip(before, after, strict=True)],
        [min(pair) for pair in zip(before, after, strict=True)],
        after,
    )


def limit_cents(number: int) -> int:
    """Of the order of this number: each of the prices below the market in turn."""
    return _START_CENTS - 1 - number % _PRICES
