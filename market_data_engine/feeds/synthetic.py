"""A made-up market: the same settings always give the same prints, on any machine.

Each symbol has its own random numbers, seeded by the feed's seed and its name, so that adding
a symbol leaves the others' prints as they were.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from operator import itemgetter
from random import Random
from typing import Literal

from market_data_engine.feeds.feed import read_ahead
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import MarketColumns, TradeColumns

Regime = Literal["trend", "range", "volatile", "quiet"]

_BATCH_TICKS = 20_000
_TICK = 0.01
_START_PRICE = 100.0
_LEAST_PRICE = 1.0
#: Standard deviation of a minute's return.
_VOLATILITY: dict[Regime, float] = {
    "trend": 0.0004,
    "range": 0.0004,
    "volatile": 0.0020,
    "quiet": 0.0001,
}


def regime_of(symbol: str, wanted: Regime | None) -> Regime:
    """The wanted one; else `range` for symbols that say so in their name, else `trend`."""
    return wanted or ("range" if symbol.endswith("RANGE") else "trend")


class SyntheticFeed:
    """`minutes` of trades from `start_ns` (a whole minute) on; without end when it is None."""

    def __init__(
        self,
        symbols: Sequence[str],
        start_ns: int,
        minutes: int | None,
        trades_per_minute: int,
        seed: int,
        regime: Regime | None = None,
    ) -> None:
        self.symbols = list(symbols)
        self._start_ns = start_ns - start_ns % MINUTE_NS
        self._minutes = minutes
        self._trades_per_minute = trades_per_minute
        self._seed = seed
        self._regime = regime
        self.total_ticks = (
            None if minutes is None else minutes * trades_per_minute * len(self.symbols)
        )

    def batches(self) -> AsyncIterator[MarketColumns]:
        return read_ahead(self._make())

    def _make(self) -> Iterator[MarketColumns]:
        markets = [
            _Market(Random(f"{self._seed}:{symbol}"), regime_of(symbol, self._regime))  # noqa: S311
            for symbol in self.symbols
        ]
        per_minute = self._trades_per_minute * len(markets)
        # A feed without end is followed in real time: nothing is gained by making more ahead.
        minutes_a_batch = 1 if self._minutes is None else max(1, _BATCH_TICKS // per_minute)
        minute = 0
        while self._minutes is None or minute < self._minutes:
            last = minute + minutes_a_batch
            if self._minutes is not None:
                last = min(last, self._minutes)
            yield MarketColumns(self._batch(markets, minute, last))
            minute = last

    def _batch(self, markets: list["_Market"], first: int, last: int) -> TradeColumns:
        prints: list[tuple[int, int, float, float]] = []
        for minute in range(first, last):
            start_ns = self._start_ns + minute * MINUTE_NS
            of_the_minute = [
                (at_ns, index, price, size)
                for index, market in enumerate(markets)
                for at_ns, price, size in market.minute(minute, start_ns, self._trades_per_minute)
            ]
            of_the_minute.sort(key=itemgetter(0))
            prints += of_the_minute
        at_ns, index, price, size = (list(column) for column in zip(*prints, strict=True))
        return TradeColumns(self.symbols, index, at_ns, price, size)


class _Market:
    def __init__(self, random: Random, regime: Regime) -> None:
        self._random = random
        self._volatility = _VOLATILITY[regime]
        self._drift: Callable[[int], float] = {
            "trend": self._waves,
            "range": self._pull_to_the_middle,
            "volatile": self._none,
            "quiet": self._none,
        }[regime]
        self._price = _START_PRICE
        self._wave = 0.0
        self._wave_ends = 0

    def minute(self, minute: int, start_ns: int, trades: int) -> list[tuple[int, float, float]]:
        """Time, price and size of one minute's trades."""
        random = self._random
        times = sorted(random.randrange(MINUTE_NS // 1000) for _ in range(trades))
        drift = self._drift(minute) / trades
        deviation = self._volatility / math.sqrt(trades)
        made = []
        for microsecond in times:
            step = drift + deviation * random.gauss(0.0, 1.0)
            self._price = max(_LEAST_PRICE, self._price * (1.0 + step))
            price = round(round(self._price / _TICK) * _TICK, 2)
            made.append((start_ns + microsecond * 1000, price, float(random.randint(1, 10) * 100)))
        return made

    def _waves(self, minute: int) -> float:
        """Up or down for half an hour to two hours, then perhaps the other way."""
        if minute >= self._wave_ends:
            self._wave_ends = minute + self._random.randint(30, 120)
            self._wave = self._random.choice((-1.0, 1.0)) * self._random.uniform(0.0001, 0.0004)
        return self._wave

    def _pull_to_the_middle(self, minute: int) -> float:
        middle = _START_PRICE * (1.0 + 0.01 * math.sin(minute / 40.0))
        return 0.05 * (middle / self._price - 1.0)

    def _none(self, _minute: int) -> float:
        return 0.0
