"""A made-up market: the same settings always give the same prints, on any machine.

Each symbol has its own random numbers, seeded by the feed's seed and its name, so that adding
a symbol leaves the others' prints as they were.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from operator import itemgetter
from random import Random
from typing import Literal, NamedTuple

from market_data_engine.feeds.feed import read_ahead
from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import HaltColumns, MarketColumns, TradeColumns

Regime = Literal["trend", "range", "volatile", "quiet", "gap", "flash-crash", "halt"]

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
    "gap": 0.0004,
    "flash-crash": 0.0004,
    "halt": 0.0010,
}
#: An event comes once in each so many minutes, at one that is drawn.
_EVENT_EVERY = 120
_EVENTFUL: frozenset[Regime] = frozenset({"gap", "flash-crash", "halt"})
#: Of a gap, up or down, and of what comes after a halt.
_GAP_FRACTION = (0.03, 0.08)
_REOPENING_FRACTION = (0.005, 0.02)
#: A flash crash falls by so much in so many minutes, and comes back in so many.
_CRASH_FRACTION = 0.10
_CRASH_MINUTES, _RECOVERY_MINUTES = 3, 6
_HALT_MINUTES = 5


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
        self.total_ticks = None if minutes is None else self._ticks_in(minutes)

    def _ticks_in(self, minutes: int) -> int:
        trading = sum(minutes - market.halted_minutes(minutes) for market in self._markets())
        return trading * self._trades_per_minute

    def _markets(self) -> list["_Market"]:
        return [
            _Market(self._seed, symbol, regime_of(symbol, self._regime)) for symbol in self.symbols
        ]

    def batches(self) -> AsyncIterator[MarketColumns]:
        return read_ahead(self._make())

    def _make(self) -> Iterator[MarketColumns]:
        markets = self._markets()
        per_minute = self._trades_per_minute * len(markets)
        # A feed without end is followed in real time: nothing is gained by making more ahead.
        minutes_a_batch = 1 if self._minutes is None else max(1, _BATCH_TICKS // per_minute)
        minute = 0
        while self._minutes is None or minute < self._minutes:
            last = minute + minutes_a_batch
            if self._minutes is not None:
                last = min(last, self._minutes)
            batch = self._batch(markets, minute, last)
            if len(batch):  # of a feed in real time a minute may be halted
                yield batch
            minute = last

    def _batch(self, markets: list["_Market"], first: int, last: int) -> MarketColumns:
        prints: list[tuple[int, int, float, float]] = []
        halts = HaltColumns([], [], [])
        for minute in range(first, last):
            start_ns = self._start_ns + minute * MINUTE_NS
            for symbol, market in zip(self.symbols, markets, strict=True):
                event = market.event_at(minute)
                if event.begins_halt or event.ends_halt:
                    halts.symbols.append(symbol)
                    halts.at_ns.append(start_ns)
                    halts.halted.append(event.begins_halt)
            of_the_minute = [
                (at_ns, index, price, size)
                for index, market in enumerate(markets)
                for at_ns, price, size in market.minute(minute, start_ns, self._trades_per_minute)
            ]
            of_the_minute.sort(key=itemgetter(0))
            prints += of_the_minute
        columns = [list(column) for column in zip(*prints, strict=True)] or [[], [], [], []]
        at_ns, index, price, size = columns
        trades = TradeColumns(self.symbols, index, at_ns, price, size)
        return MarketColumns(trades, halts=halts if halts.at_ns else None)


class _Event(NamedTuple):
    #: By which the price is multiplied.
    factor: float = 1.0
    halted: bool = False
    begins_halt: bool = False
    ends_halt: bool = False


_NO_EVENT = _Event()


class _Market:
    def __init__(self, seed: int, symbol: str, regime: Regime) -> None:
        self._random = Random(f"{seed}:{symbol}")  # noqa: S311
        #: Of the events alone: they leave the prints in between as they would have been.
        self._name = f"{seed}:{symbol}:events"
        self._regime = regime
        self._volatility = _VOLATILITY[regime]
        self._drift: Callable[[int], float] = {
            "trend": self._waves,
            "range": self._pull_to_the_middle,
            "volatile": self._none,
            "quiet": self._none,
            "gap": self._waves,
            "flash-crash": self._waves,
            "halt": self._none,
        }[regime]
        self._price = _START_PRICE
        self._wave = 0.0
        self._wave_ends = 0

    def minute(self, minute: int, start_ns: int, trades: int) -> list[tuple[int, float, float]]:
        """Time, price and size of one minute's trades."""
        random = self._random
        event = self.event_at(minute)
        if event.halted:
            return []
        self._price = max(_LEAST_PRICE, self._price * event.factor)
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

    def event_at(self, minute: int) -> "_Event":
        """What happens at the start of that minute, whatever was asked before."""
        if self._regime not in _EVENTFUL:
            return _NO_EVENT
        chance, first = self._chance(minute // _EVENT_EVERY)
        since = minute - first
        sign = chance.choice((-1.0, 1.0))
        if self._regime == "gap" and since == 0:
            return _Event(1.0 + sign * chance.uniform(*_GAP_FRACTION))
        if self._regime == "flash-crash":
            if 0 <= since < _CRASH_MINUTES:
                return _Event((1.0 - _CRASH_FRACTION) ** (1 / _CRASH_MINUTES))
            if 0 <= since - _CRASH_MINUTES < _RECOVERY_MINUTES:
                return _Event((1.0 - _CRASH_FRACTION) ** (-1 / _RECOVERY_MINUTES))
        if self._regime == "halt":
            if 0 <= since < _HALT_MINUTES:
                return _Event(halted=True, begins_halt=since == 0)
            if since == _HALT_MINUTES:
                return _Event(1.0 + sign * chance.uniform(*_REOPENING_FRACTION), ends_halt=True)
        return _NO_EVENT

    def halted_minutes(self, minutes: int) -> int:
        """Of the first so many."""
        if self._regime != "halt":
            return 0
        firsts = (self._chance(number)[1] for number in range(minutes // _EVENT_EVERY + 1))
        return sum(min(max(minutes - first, 0), _HALT_MINUTES) for first in firsts)

    def _chance(self, number: int) -> tuple[Random, int]:
        """What draws the `number`-th event, and its minute: away from the ends, so that one is
        over before the next may come."""
        chance = Random(f"{self._name}:{number}")  # noqa: S311
        return chance, number * _EVENT_EVERY + chance.randrange(10, _EVENT_EVERY - 20)

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
