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


class _Feed:
    """The updates of one series' indicators, and when its last candle started."""

    __slots__ = ("last_ns", "of_candles", "of_closes")

    def __init__(self) -> None:
        self.of_candles: list[Callable[[Candle], Any]] = []
        self.of_closes: list[Callable[[float], Any]] = []
        self.last_ns: int | None = None

    def add(self, indicator: Indicator[Any, Any]) -> None:
        updates = self._updates(indicator)
        # Its calendar may refuse a candle, and then none may have taken it.
        updates.insert(0 if isinstance(indicator, VWAP) else len(updates), indicator.update)

    def remove(self, indicator: Indicator[Any, Any]) -> None:
        self._updates(indicator).remove(indicator.update)

    def _updates(self, indicator: Indicator[Any, Any]) -> list[Callable[[Any], Any]]:
        return self.of_candles if indicator.takes == "candle" else self.of_closes


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
        self._feeds: dict[Series, _Feed] = {}

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
            self._feeds.setdefault((symbol, timeframe), _Feed()).add(made)
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
        feed = self._feeds[series]
        feed.remove(dropped)
        if not (feed.of_candles or feed.of_closes):
            del self._feeds[series]

    def take(self, candle: Candle) -> bool:
        """Feed a completed candle, to each indicator of its series once.

        False, and nothing changed, when nobody follows the series or the candle isn't newer than
        its last. ValueError, and nothing changed, for one that isn't all finite numbers, and
        OutsideCalendarError for one outside the calendar of an indicator that follows sessions.
        """
        feed = self._feeds.get((candle.symbol, candle.timeframe))
        start_ns = candle.start_ns
        if feed is None or (feed.last_ns is not None and start_ns <= feed.last_ns):
            return False
        # What can refuse refuses here, before the first of them has changed.
        total = candle.high + candle.low + candle.close + candle.volume + candle.vwap
        if total - total:
            raise ValueError(f"a board takes candles of finite numbers, not {candle}")
        close = candle.close
        for take_candle in feed.of_candles:
            take_candle(candle)
        for take_close in feed.of_closes:
            take_close(close)
        feed.last_ns = start_ns
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
        for feed in self._feeds.values():
            feed.last_ns = None
