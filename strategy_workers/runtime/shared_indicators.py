"""One computation of an indicator for all deployments of a worker that ask for the same.

Two of them work the same out when they are in the same state and hear the same candles. So they
share from where their states are equal: since a run began, or since they were stored. Each keeps
the values that it has heard of, so that nothing is seen before its candle.
"""

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

from shared.models.market import Candle
from strategy_workers.runtime.market import MarketView, Series
from strategy_workers.runtime.slices import Slice
from strategy_workers.sdk.indicators import Indicator, IndicatorSet, close_of, whole

_NO_CANDLE_NS = -1


class SharedIndicator:
    """Of one symbol. It is there as long as somebody has it."""

    def __init__(
        self, indicator: Indicator[Any], of: Callable[[Candle], Any], last_start_ns: int
    ) -> None:
        self.indicator = indicator
        #: Start of the last candle that it has taken.
        self.last_start_ns = last_start_ns
        self._of = of
        #: What it gave for the candles of the slice that is decided on, by their start.
        self._given: dict[int, Any] = {}

    def forget_slice(self) -> None:
        self._given.clear()

    def take(self, candles: Iterable[Candle]) -> None:
        for candle in candles:
            if candle.start_ns > self.last_start_ns:
                self._given[candle.start_ns] = self.indicator.update(self._of(candle))
                self.last_start_ns = candle.start_ns

    def after(self, candle: Candle) -> Any:
        return self._given[candle.start_ns]


class SharedIndicators:
    def __init__(self) -> None:
        self._by_series: dict[Series, WeakValueDictionary[object, SharedIndicator]] = {}

    def __len__(self) -> int:
        return sum(len(known) for known in self._by_series.values())

    def take(self, tape_slice: Slice) -> None:
        """Before anybody decides on the slice: no hook can be broken into while this works."""
        for series, known in self._by_series.items():
            candles = tape_slice.candles([series])
            for shared in list(known.values()):
                shared.forget_slice()
                shared.take(candles)

    def join(self, market: MarketView) -> None:
        """Between two slices: let `market` share what others work out already, or will."""
        for its in market.indicators:
            if _is_shareable(its):
                for symbol in market.symbols:
                    self._join(market, its, symbol)

    def _join(self, market: MarketView, its: IndicatorSet[Any], symbol: str) -> None:
        heard = market.history(symbol, its.timeframe)
        last_ns = heard[-1].start_ns if heard else _NO_CANDLE_NS
        known = self._by_series.setdefault((symbol, its.timeframe), WeakValueDictionary())
        shared = known.get(its.key)
        if shared is None:
            made = SharedIndicator(its.indicator(symbol), its.of, last_ns)
            known[its.key] = made
            its.share(symbol, made)
        elif shared.last_start_ns == last_ns and (
            shared.indicator.state() == its.indicator(symbol).state()
        ):
            its.share(symbol, shared)


def _is_shareable(its: IndicatorSet[Any]) -> bool:
    """The library's own, with plain arguments: what else it is made of nobody knows."""
    match its.key:
        case (type() as kind, tuple() as arguments, feed, _):
            return (
                kind.__module__.startswith("shared.indicators.")
                and feed in (close_of, whole)
                and all(isinstance(one, int | float | str) for one in arguments)
                and not its.is_ahead
            )
    return False
