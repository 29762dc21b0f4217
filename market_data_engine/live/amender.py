"""Candles made again after a late print, a cancel or a correction. Pure.

A minute is made from its prints, a larger candle from the next smaller ones that its run completed.
What a provider has told of stands: such a minute isn't made again, and a larger candle is folded
again from all its minutes, of which the run may have few.
"""

from collections.abc import Iterable, Mapping

from market_data_engine.feeds.events import Print
from market_data_engine.history.memory import CandleMemory
from market_data_engine.live.recent import Minute, RecentPrints
from shared.candles.builder import FOLDED_INTO
from shared.candles.calendar import SessionCalendar
from shared.candles.folding import fold
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from shared.replays.candles import RunCandles


class Amender:
    """For use between two slices: what a run has completed is in its memory."""

    def __init__(
        self,
        candles: RunCandles,
        memory: CandleMemory,
        calendars: Mapping[str, SessionCalendar],
    ) -> None:
        self._candles = candles
        self._memory = memory
        self._calendars = calendars

    def amend(self, recent: RecentPrints, minutes: Iterable[Minute]) -> list[Candle]:
        """The completed candles that are others now, small timeframes first; those are in the
        memory, and what is forming is amended, too."""
        return [
            candle
            for minute in minutes
            if minute[0] not in self._candles.quoted
            for candle in self._amend(minute, recent.of(minute))
        ]

    def _amend(self, minute: Minute, prints: list[Print]) -> list[Candle]:
        if not prints:
            return []
        symbol, at_ns = Symbol(minute[0]), prints[0].at_ns
        span = self._calendars[symbol].session_at(at_ns).interval("1m", at_ns)
        price = [one.price for one in prints]
        volume = sum(one.size for one in prints)
        notional = sum(one.price * one.size for one in prints)
        made = Candle(
            symbol,
            "1m",
            *span,
            price[0],
            max(price),
            min(price),
            price[-1],
            volume,
            min(max(notional / volume, min(price)), max(price)) if volume else price[-1],
            len(prints),
        )
        return self._pass_up(made, at_ns)

    def _pass_up(self, candle: Candle, at_ns: int) -> list[Candle]:
        """The candle, if it is complete, and the larger ones that hold it."""
        healed = self._memory.healed
        if healed.standing(candle) is not None:
            if candle.timeframe != "1m":
                healed.outdate(candle)
                return self._pass_on(candle, at_ns)
            return []
        if not self._candles.put(candle):
            return []  # it forms: what is larger takes it in when it completes
        known = self._memory.put(candle)
        if known == candle:
            return []
        changed = [candle]
        if known is None:
            self._candles.count_late(candle)
        return changed + self._pass_on(candle, at_ns)

    def _pass_on(self, candle: Candle, at_ns: int) -> list[Candle]:
        """The larger ones that hold the candle."""
        changed = []
        for timeframe in FOLDED_INTO[candle.timeframe]:
            parts, span = self._parts(candle, timeframe, at_ns)
            if parts:
                changed += self._pass_up(fold(parts, timeframe, *span), at_ns)
        return changed

    def _parts(
        self, candle: Candle, timeframe: Timeframe, at_ns: int
    ) -> tuple[list[Candle], tuple[int, int]]:
        span = self._calendars[candle.symbol].session_at(at_ns).interval(timeframe, at_ns)
        return self._memory.between(candle.symbol, candle.timeframe, *span), span
