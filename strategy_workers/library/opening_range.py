"""The range of the first minutes of a day: buys the break of its high, flat by the evening."""

from datetime import datetime
from zoneinfo import ZoneInfo

from strategy_workers.library.invested import Invested
from strategy_workers.sdk import (
    Candle,
    CategoricalParameter,
    IntParameter,
    OrderEvent,
    ParameterError,
)

_ZONES = ("America/New_York", "Europe/London", "Europe/Berlin", "Asia/Tokyo", "UTC")
_DAY_MINUTES = 24 * 60


class OpeningRange(Invested):
    name = "opening_range"
    title = "Opening-range breakout"
    description = (
        "Buys once a day when a close breaks the high of the first minutes after the open, with a "
        "stop at their low, and sells all before the close."
    )

    zone = CategoricalParameter(
        default="America/New_York", choices=_ZONES, help="Time zone of the times of day"
    )
    opens = IntParameter(
        default=570, low=0, high=_DAY_MINUTES - 1, help="Minute of the day of the open: 570 is 9:30"
    )
    span = IntParameter(default=30, low=1, high=600, help="Minutes in the opening range")
    closes = IntParameter(
        default=955, low=1, high=_DAY_MINUTES, help="Minute of the day to be flat by: 955 is 15:55"
    )

    def check_parameters(self) -> None:
        if self.closes <= self.opens + self.span:
            raise ParameterError("closes", f"must be above opens + span ({self.opens + self.span})")

    def on_start(self) -> None:
        self.clock = ZoneInfo(self.zone)

    def on_candle(self, candle: Candle) -> None:
        symbol, noted = candle.symbol, self.note(candle.symbol)
        start = datetime.fromtimestamp(candle.start_ns // 10**9, self.clock)
        begins = start.hour * 60 + start.minute
        ends = begins + (candle.end_ns - candle.start_ns) // 60_000_000_000
        day = start.date().isoformat()
        if noted.get("day") != day:
            if self.is_in(symbol):
                self.leave(symbol, "a new day")
            noted.clear()
            noted.update(day=day, high=None, low=None, done=False)
        if self.is_in(symbol):
            if ends >= self.closes:
                self.leave(symbol, "the day ends")
        elif self.opens <= begins and ends <= self.opens + self.span:
            noted["high"] = max(candle.high, noted["high"] or candle.high)
            noted["low"] = min(candle.low, noted["low"] or candle.low)
        elif begins >= self.opens + self.span and ends < self.closes:
            self._look(candle)

    def _look(self, candle: Candle) -> None:
        noted = self.note(candle.symbol)
        high = noted["high"]
        if high is None or noted["done"] or candle.close <= high:
            return
        noted["done"] = self.enter(
            candle.symbol, f"close {candle.close:g} above the opening range's high {high:g}"
        )

    def on_order(self, event: OrderEvent) -> None:
        noted = self.note(event.symbol)
        if event.side == "buy" and event.execution is not None:
            if noted.get("low") is None:
                self.leave(event.symbol, "bought after the day")
            else:
                self.guard(event.symbol, noted["low"])
