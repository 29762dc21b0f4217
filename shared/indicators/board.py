"""One calculation for each (symbol, timeframe, indicator, parameters), however many ask."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.candles.calendar import SessionCalendar
from shared.indicators.catalogue import find
from shared.indicators.indicator import Indicator
from shared.indicators.volume import VWAP
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

Series = tuple[Symbol, Timeframe]
#: Symbol, timeframe, name, parameters in their order.
Key = tuple[Symbol, Timeframe, str, tuple[int | float, ...]]


class IndicatorBoard:
    """Indicators of many series, fed once a candle, shared by all who follow them.

    Who follows holds one share; what nobody holds any more is dropped. Value indicators are of
    the close.
    """

    def __init__(
        self, calendar_of: Callable[[Symbol], SessionCalendar | None] = lambda _: None
    ) -> None:
        """`calendar_of` is for what follows sessions; without a calendar these are UTC days."""
        self._calendar_of = calendar_of
        self._indicators: dict[Key, Indicator[Any, Any]] = {}
        self._shares: dict[Key, int] = {}
        self._of_series: dict[Series, list[Indicator[Any, Any]]] = {}
        self._last_ns: dict[Series, int] = {}

    def __len__(self) -> int:
        """How many are calculated."""
        return len(self._indicators)

    def follow(
        self, symbol: Symbol, timeframe: Timeframe, name: str, params: Mapping[str, object]
    ) -> Key:
        """Take a share; what nobody had yet begins with the next candle.

        Key of the value. ValueError for an unknown name or parameters it doesn't allow.
        """
        entry = find(name)
        key = (symbol, timeframe, entry.name, entry.key(params))
        if key not in self._indicators:
            made = entry.create(params, self._calendar_of(symbol))
            self._indicators[key] = made
            followed = self._of_series.setdefault((symbol, timeframe), [])
            # Its calendar may refuse a candle, and then none may have taken it.
            followed.insert(0 if isinstance(made, VWAP) else len(followed), made)
        self._shares[key] = self._shares.get(key, 0) + 1
        return key

    def leave(self, key: Key) -> None:
        """Give a share back. KeyError for one that nobody has."""
        if self._shares[key] > 1:
            self._shares[key] -= 1
            return
        del self._shares[key]
        dropped = self._indicators.pop(key)
        series = key[:2]
        left = [one for one in self._of_series[series] if one is not dropped]
        if left:
            self._of_series[series] = left
        else:
            del self._of_series[series]
            self._last_ns.pop(series, None)

    def take(self, candle: Candle) -> bool:
        """Feed a completed candle, to each indicator of its series once.

        False, and nothing changed, when nobody follows the series or the candle isn't newer than
        its last. ValueError, and nothing changed, for one that isn't all finite numbers, and
        OutsideCalendarError for one outside the calendar of an indicator that follows sessions.
        """
        series = (candle.symbol, candle.timeframe)
        indicators = self._of_series.get(series)
        last_ns = self._last_ns.get(series)
        if indicators is None or (last_ns is not None and candle.start_ns <= last_ns):
            return False
        # What can refuse refuses here, before the first of them has changed.
        total = candle.high + candle.low + candle.close + candle.volume + candle.vwap
        if total - total:
            raise ValueError(f"a board takes candles of finite numbers, not {candle}")
        close = candle.close
        for indicator in indicators:
            indicator.update(candle if indicator.takes == "candle" else close)
        self._last_ns[series] = candle.start_ns
        return True

    def warm(self, key: Key, candles: list[Candle]) -> None:
        """Feed one that has seen nothing with candles from before the next, oldest first.

        ValueError for one that has a value already, or was fed.
        """
        indicator = self._indicators[key]
        if indicator.state() != indicator.twin().state():
            raise ValueError(f"{key[2]} of {key[0]} {key[1]} has seen candles already")
        whole = indicator.takes == "candle"
        for candle in candles:
            indicator.update(candle if whole else candle.close)

    def value(self, key: Key) -> Any:
        """After the last completed candle; None while it warms up."""
        return self._indicators[key].value

    def forming(self, key: Key, candle: Candle) -> Any:
        """What the value would be, were the forming candle complete. Changes nothing."""
        indicator = self._indicators[key]
        return indicator.peek(candle if indicator.takes == "candle" else candle.close)

    def reset(self) -> None:
        """A run begins: all begin anew, and shares stay."""
        for indicator in self._indicators.values():
            indicator.restore(indicator.twin().state())
        self._last_ns.clear()
