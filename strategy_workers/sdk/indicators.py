"""Indicators inside a strategy: one per symbol, fed before `on_candle` sees the candle."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from shared.models.base import encode
from shared.models.identifiers import Timeframe
from shared.models.market import Candle

Output = TypeVar("Output")
Output_co = TypeVar("Output_co", covariant=True)


class Indicator(Protocol[Output_co]):
    """What `shared.indicators` offers: fed candle by candle, its state fits into a snapshot."""

    def update(self, given: Any, /) -> Output_co | None: ...
    def state(self) -> Any: ...
    def restore(self, state: Any, /) -> None: ...


class Shared(Protocol):
    """An indicator that others feed."""

    @property
    def indicator(self) -> Indicator[Any]: ...
    def after(self, candle: Candle) -> Any:
        """Its value after a candle of the slice that is decided on."""
        ...


#: Of an indicator before and after the last candle.
Values = tuple[Output | None, Output | None]
#: By symbol; and the values to come of one of them.
Ahead = tuple[dict[str, Values[Any]], Iterator[Values[Any]]]


def close_of(candle: Candle) -> float:
    return candle.close


def whole(candle: Candle) -> Candle:
    return candle


class IndicatorSet(Generic[Output]):
    """The same indicator for each symbol of the deployment, on one timeframe.

    `averages["SPY"]` is the value after the last completed candle, None until it has seen
    enough of them; `averages.previous("SPY")` the one before.
    """

    def __init__(
        self,
        make: Callable[[], Indicator[Output]],
        symbols: Sequence[str],
        timeframe: Timeframe,
        of: Callable[[Candle], Any],
        key: object = None,
    ) -> None:
        self.timeframe = timeframe
        #: Sets with equal keys work the same out; None is like no other.
        self.key = key
        self._make = make
        self._symbols = tuple(symbols)
        self.of = of
        #: Symbol → values before and after each candle to come; where there are such.
        self._ahead: dict[str, Iterator[Values[Output]]] = {}
        #: Symbols whose values come from elsewhere.
        self._shared: dict[str, Shared] = {}
        self._indicators: dict[str, Indicator[Output]] = {}
        self.reset()

    def __getitem__(self, symbol: str) -> Output | None:
        return self._values[symbol][1]

    def previous(self, symbol: str) -> Output | None:
        return self._values[symbol][0]

    def update(self, candle: Candle) -> None:
        symbol = candle.symbol
        shared = self._shared.get(symbol)
        if shared is None:
            value = self._indicators[symbol].update(self.of(candle))
        else:
            value = shared.after(candle)
        self._values[symbol] = (self._values[symbol][1], value)

    def indicator(self, symbol: str) -> Indicator[Output]:
        shared = self._shared.get(symbol)
        return self._indicators[symbol] if shared is None else shared.indicator

    def share(self, symbol: str, shared: Shared) -> None:
        """From now on its value comes from there; it is in the same state."""
        self._shared[symbol] = shared

    def share_no_more(self) -> None:
        """Go on alone, from the same state."""
        for symbol, shared in self._shared.items():
            alone = self._make()
            alone.restore(msgspec.json.decode(encode(shared.indicator.state())))
            self._indicators[symbol] = alone
        self._shared = {}

    @property
    def is_ahead(self) -> bool:
        return bool(self._ahead)

    def ahead_of(self, symbol: str) -> Ahead:
        """Whoever brings the next candle of `symbol` takes its values from here."""
        return self._values, self._ahead[symbol]

    @property
    def reads_closes(self) -> bool:
        return self.of is close_of

    def read_ahead(self, closes: dict[str, Iterable[float]]) -> None:
        """For a backtest, right after `reset`: `closes` are those of all candles to come.

        Values come out the same, and no earlier; they are only worked out column by column. Such
        a set has no state to store.
        """
        for symbol, column in closes.items():
            values = values_over(self._indicators[symbol], column)
            self._ahead[symbol] = pairwise(chain((None,), values))

    def reset(self) -> None:
        """Forget everything seen, as at the start of a run."""
        self._ahead = {}
        self._shared = {}
        self._indicators = {symbol: self._make() for symbol in self._symbols}
        self._values: dict[str, Values[Output]] = dict.fromkeys(self._symbols, (None, None))

    def state(self) -> dict[str, Any]:
        assert not self._ahead, "indicators that read ahead are not at the present candle"
        return {
            symbol: {"values": self._values[symbol], "inner": self.indicator(symbol).state()}
            for symbol in self._symbols
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.share_no_more()
        for symbol, indicator in self._indicators.items():
            before, now = state[symbol]["values"]
            self._values[symbol] = (_as_given(before), _as_given(now))
            indicator.restore(state[symbol]["inner"])


def _as_given(value: Any) -> Any:
    """As the indicator gave it: tuples come back from JSON as lists."""
    return tuple(value) if isinstance(value, list) else value


def values_over(indicator: Indicator[Output], column: Iterable[float]) -> Iterator[Output | None]:
    """What `update` returns for each value, in the indicator's own faster way if it has one."""
    over = getattr(indicator, "over", None)
    return map(indicator.update, column) if over is None else over(column)


def crossed_above(first: IndicatorSet[float], second: IndicatorSet[float], symbol: str) -> bool:
    """`first` was at or below `second` before the last candle, and is above it now."""
    return _order(first.previous(symbol), second.previous(symbol)) in (-1, 0) and (
        _order(first[symbol], second[symbol]) == 1
    )


def crossed_below(first: IndicatorSet[float], second: IndicatorSet[float], symbol: str) -> bool:
    """`first` was at or above `second` before the last candle, and is below it now."""
    return crossed_above(second, first, symbol)


def _order(first: float | None, second: float | None) -> int | None:
    if first is None or second is None:
        return None
    return (first > second) - (first < second)
