"""What a deployment knows of the market: history and indicators of its candles. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from strategy_workers.sdk.forming import FINEST, FormingCandles, series_of
from strategy_workers.sdk.indicators import Ahead, Indicator, IndicatorSet

Series = tuple[str, Timeframe]
Output = TypeVar("Output")


class Inlet(NamedTuple):
    """What the candles of one series go into."""

    history: deque[Candle]
    updates: list[Callable[[Candle], None]]
    ahead: list[Ahead]
    #: False where they are for forming candles alone.
    heard: bool


class MarketState(msgspec.Struct):
    """The part of a snapshot that restores a market view exactly."""

    #: Columns of each candle, series by series.
    history: list[list[tuple[Any, ...]]]
    indicators: list[dict[str, Any]]
    last_prices: dict[str, float]
    warm: bool
    forming: list[dict[str, Any]] = []


class MarketView:
    def __init__(
        self, symbols: Sequence[str], timeframe: Timeframe, more: Sequence[Timeframe]
    ) -> None:
        self.symbols = tuple(symbols)
        self.timeframe = timeframe
        self.timeframes: tuple[Timeframe, ...] = tuple(dict.fromkeys((timeframe, *more)))
        self.series: list[Series] = [(s, t) for s in self.symbols for t in self.timeframes]
        #: Closes of the last completed candles of any timeframe.
        self.last_prices: dict[str, float] = {}
        #: False until the run is known to need no candles from the store, or they are loaded.
        self.warm = False
        self._kept = 1
        self._history: dict[Series, deque[Candle]] = {s: deque(maxlen=1) for s in self.series}
        self._indicators: list[IndicatorSet[Any]] = []
        self._forming: dict[Timeframe, FormingCandles] = {}
        #: What is read for it: what the strategy hears, and what only forming candles need.
        self.sources: list[Series] = list(self.series)
        self._connect()

    def keep(self, candles: int) -> None:
        """Hold the last `candles` of each series from now on."""
        self._kept = max(1, candles)
        self._history = {
            series: deque(known, maxlen=self._kept) for series, known in self._history.items()
        }
        self._connect()

    @property
    def kept(self) -> int:
        return self._kept

    def add_indicator(
        self,
        make: Callable[[], Indicator[Output]],
        of: Callable[[Candle], Any],
        timeframe: Timeframe | None,
        key: object = None,
    ) -> IndicatorSet[Output]:
        """Raises ValueError for a timeframe that the deployment doesn't hear."""
        chosen = timeframe or self.timeframe
        if chosen not in self.timeframes:
            raise ValueError(f"the strategy doesn't declare the timeframe {chosen}")
        made = IndicatorSet(make, self.symbols, chosen, of, key)
        self.add(made)
        return made

    def add(self, indicator: IndicatorSet[Any]) -> None:
        self._indicators.append(indicator)
        for symbol, inlets in self._inlets.items():
            self._let_in(inlets[indicator.timeframe], symbol, indicator)

    def add_forming(self, timeframe: Timeframe) -> FormingCandles:
        """Those of one timeframe are the same, however often they are declared."""
        if (known := self._forming.get(timeframe)) is not None:
            return known
        made = self._forming[timeframe] = FormingCandles(self.symbols, timeframe)
        needed = series_of(self.symbols, self._forming)
        self.sources = list(dict.fromkeys([*self.series, *needed]))
        self._connect()
        return made

    @property
    def forming(self) -> Sequence[FormingCandles]:
        """In the order in which they were declared."""
        return list(self._forming.values())

    def form(self, candles: Iterable[Candle]) -> None:
        """Before the first of a moment's candles is heard: what is forming after all of them."""
        for one in self._forming.values():
            for candle in candles:
                if candle.timeframe in (FINEST, one.timeframe):
                    one.take(candle)

    def begin_run(self) -> None:
        """What is printed from here on is seen, and nothing was before."""
        for one in self._forming.values():
            one.begin()

    @property
    def indicators(self) -> Sequence[IndicatorSet[Any]]:
        """In the order in which they were declared."""
        return self._indicators

    def history(self, symbol: str, timeframe: Timeframe | None) -> Sequence[Candle]:
        """Raises KeyError for a series that the deployment doesn't hear."""
        return self._history[symbol, timeframe or self.timeframe]

    def take(self, candle: Candle) -> bool:
        """Feed one completed candle; False when it isn't newer than the last of its series, or is
        not one to be heard."""
        symbol = candle.symbol
        history, updates, ahead, heard = self._inlets[symbol][candle.timeframe]
        if not heard:
            return False
        if history and candle.start_ns <= history[-1].start_ns:
            return False
        history.append(candle)
        self.last_prices[symbol] = candle.close
        for update in updates:
            update(candle)
        for values, to_come in ahead:
            values[symbol] = next(to_come)
        return True

    def read_ahead(self, closes: Callable[[str, Timeframe], Iterable[float]]) -> None:
        """For a backtest, before its first candle: what closes there will be of each series."""
        for indicator in self._indicators:
            if indicator.reads_closes:
                indicator.read_ahead(
                    {symbol: closes(symbol, indicator.timeframe) for symbol in self.symbols}
                )
        self._connect()

    def _connect(self) -> None:
        """Note for each series what its candles go into, so that it needn't be looked for."""
        self._inlets: dict[str, dict[Timeframe, Inlet]] = {symbol: {} for symbol in self.symbols}
        for symbol, timeframe in self.sources:
            history = self._history.get((symbol, timeframe))
            self._inlets[symbol][timeframe] = inlet = Inlet(
                history=deque(maxlen=1) if history is None else history,
                updates=[],
                ahead=[],
                heard=history is not None,
            )
            for indicator in self._indicators:
                if indicator.timeframe == timeframe:
                    self._let_in(inlet, symbol, indicator)

    @staticmethod
    def _let_in(inlet: Inlet, symbol: str, indicator: IndicatorSet[Any]) -> None:
        if indicator.is_ahead:
            inlet.ahead.append(indicator.ahead_of(symbol))
        else:
            inlet.updates.append(indicator.update)

    def reset(self) -> None:
        """A run begins: prices and times before it have no meaning."""
        for history in self._history.values():
            history.clear()
        for indicator in self._indicators:
            indicator.reset()
        for forming in self._forming.values():
            forming.forget()
        self.last_prices.clear()
        self.warm = False
        self._connect()

    def inherit(self, old: "MarketView") -> None:
        """Go on from what was seen with other parameters.

        Indicators that both have keep their values; new ones are fed the candles that were kept.
        """
        self.warm = old.warm
        self.last_prices = dict(old.last_prices)
        both = [series for series in self.series if series in old.series]
        for indicator in self._indicators:
            same = old.like(indicator)
            if same is not None:
                indicator.restore(same.state())
                continue
            for symbol, timeframe in both:
                if timeframe == indicator.timeframe:
                    for candle in old.history(symbol, timeframe):
                        indicator.update(candle)
        for series in both:
            self._history[series].extend(old.history(*series))
        known = {one.timeframe: one.state() for one in old.forming}
        for forming in self._forming.values():
            forming.restore(known.get(forming.timeframe, {}))

    def like(self, indicator: IndicatorSet[Any]) -> IndicatorSet[Any] | None:
        """One of its own that works out the same."""
        if indicator.key is None:
            return None
        return next((one for one in self._indicators if one.key == indicator.key), None)

    def needs_more_than(self, old: "MarketView") -> bool:
        """It has indicators or series that `old` hasn't, or keeps more candles."""
        return (
            self.kept > old.kept
            or not set(self.series) <= set(old.series)
            or any(old.like(one) is None for one in self._indicators)
        )

    def names_in(self, attributes: Mapping[str, object]) -> list[str]:
        """Of the indicators in their order; those without a name are numbered."""
        known = {id(value): name for name, value in attributes.items()}
        return [
            known.get(id(one), f"indicator {place}")
            for place, one in enumerate(self._indicators, start=1)
        ]

    def state(self) -> MarketState:
        return MarketState(
            history=self.history_columns(),
            indicators=[indicator.state() for indicator in self._indicators],
            last_prices=self.last_prices,
            warm=self.warm,
            forming=[one.state() for one in self._forming.values()],
        )

    def history_columns(self) -> list[list[tuple[Any, ...]]]:
        """All but symbol and timeframe of each candle, series by series."""
        return [
            [msgspec.structs.astuple(candle)[2:] for candle in self._history[series]]
            for series in self.series
        ]

    def take_history(
        self, columns: Sequence[Sequence[Sequence[Any]]], last_prices: Mapping[str, float]
    ) -> None:
        """What `history_columns` gave; indicators don't hear of it."""
        for (symbol, timeframe), candles in zip(self.series, columns, strict=True):
            self._history[symbol, timeframe].extend(
                Candle(Symbol(symbol), timeframe, *each) for each in candles
            )
        self.last_prices.update(last_prices)

    def restore(self, state: MarketState) -> None:
        self.last_prices.clear()
        self.take_history(state.history, state.last_prices)
        for indicator, its in zip(self._indicators, state.indicators, strict=True):
            indicator.restore(its)
        for forming, its in zip(self._forming.values(), state.forming, strict=True):
            forming.restore(its)
        self.warm = state.warm
