"""What stored candles say about themselves: gaps by the exchange's calendar, values out of range.

Pure. An interval without prints has no candle, so a gap is no error: in a market's quiet hours it
is what one expects. A candle that no interval of the calendar is, or one whose values contradict
each other, is an error.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.candles.calendar import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.candles.timeframes import LENGTH_NS
from shared.models.market import Candle

#: Errors that are told one by one; all are counted.
_SHOWN = 20
#: A volume-weighted average of equal prices may miss them by a few units in the last place.
_ROUNDING = 1e-9


@dataclass
class Report:
    """Of one symbol and timeframe. Times are starts of candles, in ns."""

    symbol: str
    timeframe: str
    candles: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    #: Runs of missing candles between the first and the last one.
    gaps: int = 0
    missing: int = 0
    longest_gap: int = 0
    errors: int = 0
    sentences: list[str] = field(default_factory=list)

    def add_error(self, candle: Candle, sentence: str) -> None:
        self.errors += 1
        if len(self.sentences) < _SHOWN:
            at = datetime.fromtimestamp(candle.start_ns // 1_000_000_000, UTC)
            self.sentences.append(
                f"{self.symbol} {self.timeframe} {at:%Y-%m-%dT%H:%M:%SZ}: {sentence}"
            )


class Verification:
    """Takes the candles of one symbol and timeframe, oldest first, in as many pieces as come."""

    def __init__(self, report: Report, calendar: SessionCalendar) -> None:
        self.report = report
        self._calendar = calendar
        self._last: Candle | None = None

    def add(self, candles: Iterable[Candle]) -> None:
        for candle in candles:
            report = self.report
            report.candles += 1
            report.first_ns = candle.start_ns if report.first_ns is None else report.first_ns
            report.last_ns = candle.start_ns
            for sentence in wrong_values(candle):
                report.add_error(candle, sentence)
            self._check_interval(candle)
            self._last = candle

    def _check_interval(self, candle: Candle) -> None:
        last = self._last
        if last is not None and candle.start_ns < last.end_ns:
            self.report.add_error(candle, "it starts before the one before it ends")
            return
        try:
            session = self._calendar.session_at(candle.start_ns)
            interval = session.interval(candle.timeframe, candle.start_ns)
            missing = 0 if last is None else _missing(self._calendar, last, candle)
        except OutsideCalendarError:
            self.report.add_error(candle, "it is outside the exchange's calendar")
            return
        if interval != (candle.start_ns, candle.end_ns):
            self.report.add_error(candle, "the exchange's calendar has no such interval")
        if missing:
            self.report.gaps += 1
            self.report.missing += missing
            self.report.longest_gap = max(self.report.longest_gap, missing)


def _missing(calendar: SessionCalendar, last: Candle, candle: Candle) -> int:
    """Intervals within sessions after `last` and before `candle`."""
    missing = 0
    at_ns = last.end_ns
    while at_ns < candle.start_ns:
        session = calendar.session_at(at_ns)
        if at_ns >= session.close_ns:
            at_ns = session.next_open_ns
        elif candle.timeframe in ("1d", "1w"):
            missing += 1
            at_ns = session.interval(candle.timeframe, at_ns)[1]
        else:
            until_ns = min(session.close_ns, candle.start_ns)
            missing += -(-(until_ns - at_ns) // LENGTH_NS[candle.timeframe])
            at_ns = until_ns
    return missing


def wrong_values(candle: Candle) -> list[str]:
    prices = {name: getattr(candle, name) for name in ("open", "high", "low", "close", "vwap")}
    wrong = [
        f"{name} is {price}, not above zero"
        for name, price in prices.items()
        if not (math.isfinite(price) and price > 0)
    ]
    if wrong:
        return wrong
    if candle.low > min(candle.open, candle.close):
        wrong.append(f"low {candle.low} is above open {candle.open} or close {candle.close}")
    if candle.high < max(candle.open, candle.close):
        wrong.append(f"high {candle.high} is below open {candle.open} or close {candle.close}")
    if not candle.low * (1 - _ROUNDING) <= candle.vwap <= candle.high * (1 + _ROUNDING):
        wrong.append(f"vwap {candle.vwap} is not between low {candle.low} and high {candle.high}")
    if not (math.isfinite(candle.volume) and candle.volume >= 0):
        wrong.append(f"volume is {candle.volume}, below zero")
    if candle.trades < 0:
        wrong.append(f"trades are {candle.trades}, below zero")
    return wrong
