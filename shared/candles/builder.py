"""From prints to candles of all nine timeframes. The rules, with examples: docs/candles.md.

Only the one-minute candle is touched by prints. When it completes it is folded into the next
larger ones, and so on upwards, so a larger candle costs nothing per print.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import inf, isfinite
from operator import attrgetter, mul
from typing import Final

from shared.candles.calendar import Session, SessionCalendar
from shared.candles.errors import LateTradesError
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle

_BASE: Final = 0
_LEVELS: Final[dict[Timeframe, int]] = {name: level for level, name in enumerate(TIMEFRAMES)}

#: What each timeframe's candles are folded into when they complete.
FOLDED_INTO: Final[dict[Timeframe, tuple[Timeframe, ...]]] = {
    "1m": ("3m", "5m"),
    "3m": (),
    "5m": ("15m",),
    "15m": ("30m",),
    "30m": ("1h",),
    "1h": ("4h",),
    "4h": ("1d",),
    "1d": ("1w",),
    "1w": (),
}
_TARGETS: Final = [[_LEVELS[name] for name in FOLDED_INTO[source]] for source in TIMEFRAMES]


def _parts(level: int) -> list[int]:
    """The levels that hold some part of this level's forming candle, oldest part first."""
    sources = [source for source, targets in enumerate(_TARGETS) if level in targets]
    return [level, *(_parts(sources[0]) if sources else [])]


_PARTS: Final = [_parts(level) for level in range(len(TIMEFRAMES))]

_by_end = attrgetter("end_ns")


class _Forming:
    """The prints of one interval so far."""

    __slots__ = (
        "close",
        "end_ns",
        "high",
        "low",
        "notional",
        "open",
        "start_ns",
        "trades",
        "volume",
    )

    def __init__(self, start_ns: int, end_ns: int, first_price: float) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.open = self.high = self.low = self.close = first_price
        self.volume = 0.0
        self.notional = 0.0
        self.trades = 0

    def copy(self) -> "_Forming":
        twin = _Forming(self.start_ns, self.end_ns, self.open)
        twin.add(self)
        return twin

    def add(self, later: "_Forming") -> None:
        if later.high > self.high:
            self.high = later.high
        if later.low < self.low:
            self.low = later.low
        self.close = later.close
        self.volume += later.volume
        self.notional += later.notional
        self.trades += later.trades

    def candle(self, symbol: Symbol, timeframe: Timeframe) -> Candle:
        if self.volume:
            vwap = self.notional / self.volume
            # An average lies within its values; only rounding can take it out of them.
            if vwap > self.high:
                vwap = self.high
            elif vwap < self.low:
                vwap = self.low
        else:
            vwap = self.close
        return Candle(
            symbol,
            timeframe,
            self.start_ns,
            self.end_ns,
            float(self.open),
            float(self.high),
            float(self.low),
            float(self.close),
            self.volume,
            float(vwap),
            self.trades,
        )


class CandleBuilder:
    """Candles of one symbol. Time only moves by what is passed in, and never back."""

    def __init__(self, symbol: Symbol, calendar: SessionCalendar) -> None:
        self._symbol = symbol
        self._calendar = calendar
        #: The session of the latest minute with prints; all forming candles but `1w` are within.
        self._session: Session | None = None
        self._now_ns: int | float = -inf
        #: By level. A larger timeframe holds only what has completed below it.
        self._forming: list[_Forming | None] = [None] * len(TIMEFRAMES)
        self._next_end_ns: int | float = inf
        self._completed = [0] * len(TIMEFRAMES)

    def add_trades(
        self, at_ns: Sequence[int], price: Sequence[float], size: Sequence[float]
    ) -> list[Candle]:
        """Take in prints, oldest first; returns the candles that they complete.

        Completed candles come by end time, small timeframes first. How prints are cut into calls
        changes nothing in them. A print older than the one before counts, in order of arrival,
        while its minute is not over; LateTradesError when it is. ValueError when columns differ
        in length, a price is not above zero and finite, or a size is negative or not finite. On
        any error nothing has changed.
        """
        count = len(at_ns)
        if not count == len(price) == len(size):
            raise ValueError(
                f"{self._symbol}: {count} times, {len(price)} prices and {len(size)} sizes"
            )
        if not count:
            return []
        times = at_ns if type(at_ns) is list else list(at_ns)
        in_order = count == 1 or times == sorted(times)
        base = self._forming[_BASE]
        if not in_order or (times[0] < self._now_ns and (base is None or times[0] < base.start_ns)):
            self._refuse_late_trades(times)

        if base is not None and in_order and times[-1] < base.end_ns:
            # By far the most frequent case: more prints of the same minute.
            _absorb(base, price, size)
            self._now_ns = max(self._now_ns, times[-1])
            return []
        minutes = self._gather(times, price, size, in_order)
        completed: list[Candle] = []
        for session, minute in minutes:
            if minute.start_ns >= self._next_end_ns:
                completed += self._complete_until(minute.start_ns)
            self._session = session
            self._forming[_BASE] = minute
            self._next_end_ns = minute.end_ns
        self._now_ns = max(self._now_ns, times[-1] if in_order else max(times))
        return completed

    def advance(self, now_ns: int) -> list[Candle]:
        """Time has come to `now_ns`; returns the candles that this completes, as above.

        An earlier time than before changes nothing.
        """
        if now_ns > self._now_ns:
            self._now_ns = now_ns
        return self._complete_until(now_ns) if now_ns >= self._next_end_ns else []

    def forming(self, timeframe: Timeframe) -> Candle | None:
        """The interval's candle from the prints so far; None when it has none yet."""
        forming = self._forming_at(_LEVELS[timeframe])
        return forming.candle(self._symbol, timeframe) if forming else None

    def put(self, candle: Candle) -> bool:
        """Correct an interval: `candle` is all that there was of it in prints (`1m`) or in the
        smaller ones that are complete. Whether it is complete itself: then nothing is changed."""
        if candle.end_ns <= self._now_ns:
            return True
        level = _LEVELS[candle.timeframe]
        forming = _Forming(candle.start_ns, candle.end_ns, candle.open)
        forming.high, forming.low, forming.close = candle.high, candle.low, candle.close
        forming.volume, forming.trades = candle.volume, candle.trades
        forming.notional = candle.vwap * candle.volume
        self._forming[level] = forming
        self._next_end_ns = min(self._next_end_ns, candle.end_ns)
        # A week's candle begins in another session than the one that it has come to.
        if candle.timeframe != "1w":
            self._session = self._calendar.session_at(candle.start_ns)
        return False

    def count_late(self, timeframe: Timeframe) -> None:
        """There is one more completed candle, of prints that came too late for the builder."""
        self._completed[_LEVELS[timeframe]] += 1

    def counts(self) -> dict[Timeframe, int]:
        """How many candles there have been of each timeframe: the completed and the forming."""
        return {
            timeframe: self._completed[level]
            + any(self._forming[part] is not None for part in _PARTS[level])
            for level, timeframe in enumerate(TIMEFRAMES)
        }

    def _refuse_late_trades(self, times: Sequence[int]) -> None:
        now_ns = self._now_ns
        late = []
        for index, at_ns in enumerate(times):
            if at_ns >= now_ns:
                now_ns = at_ns
            elif self._calendar.session_at(at_ns).interval("1m", at_ns)[1] <= now_ns:
                late.append(index)
        if late:
            raise LateTradesError(self._symbol, late, times[late[0]], int(now_ns))

    def _gather(
        self, times: list[int], price: Sequence[float], size: Sequence[float], in_order: bool
    ) -> list[tuple[Session, _Forming]]:
        """The prints by minute; the first may go on with the forming one. Changes nothing."""
        minutes: list[tuple[Session, _Forming]] = []
        session = self._session
        base = self._forming[_BASE]
        count = len(times)
        begin = 0
        while begin < count:
            first_ns = times[begin]
            if base is not None and first_ns < base.end_ns:
                minute = base.copy()
            else:
                if session is None or not session.open_ns <= first_ns < session.next_open_ns:
                    session = self._calendar.session_at(first_ns)
                minute = _Forming(*session.interval("1m", first_ns), price[begin])
            assert session is not None
            end_ns = minute.end_ns
            if in_order:
                end = count if times[-1] < end_ns else bisect_left(times, end_ns, begin)
            else:
                # Late prints were refused: whatever lies before the minute's end is within it.
                end = next((i for i in range(begin, count) if times[i] >= end_ns), count)
            if end - begin == count:
                _absorb(minute, price, size)
            else:
                _absorb(minute, price[begin:end], size[begin:end])
            minutes.append((session, minute))
            base = minute
            begin = end
        return minutes

    def _complete_until(self, now_ns: int) -> list[Candle]:
        """Complete all that ends by `now_ns`, folding each into the larger ones."""
        completed = []
        next_end_ns: int | float = inf
        forming = self._forming
        for level, timeframe in enumerate(TIMEFRAMES):
            ending = forming[level]
            if ending is None:
                continue
            if ending.end_ns > now_ns:
                if ending.end_ns < next_end_ns:
                    next_end_ns = ending.end_ns
                continue
            forming[level] = None
            self._completed[level] += 1
            completed.append(ending.candle(self._symbol, timeframe))
            for target in _TARGETS[level]:
                larger = forming[target]
                if larger is None:
                    forming[target] = self._widened(ending, target)
                else:
                    larger.add(ending)
        self._next_end_ns = next_end_ns
        # Levels ascend with their ends, but for 3m, which does not nest in 5m. The sort is stable.
        completed.sort(key=_by_end)
        return completed

    def _forming_at(self, level: int) -> _Forming | None:
        whole: _Forming | None = None
        for part_level in _PARTS[level]:
            part = self._forming[part_level]
            if part is None:
                continue
            if whole is None:
                whole = part.copy() if part_level == level else self._widened(part, level)
            else:
                whole.add(part)
        return whole

    def _widened(self, part: _Forming, level: int) -> _Forming:
        """What the part is of the larger interval that begins with it or holds it."""
        assert self._session is not None  # set by the first print
        start_ns, end_ns = self._session.interval(TIMEFRAMES[level], part.start_ns)
        whole = _Forming(start_ns, end_ns, part.open)
        whole.add(part)
        return whole


def _absorb(minute: _Forming, price: Sequence[float], size: Sequence[float]) -> None:
    """Add prints of the minute, or refuse them and change nothing.

    Columns are reduced by built-in functions: there is no loop of ours. Sums go on from the
    value so far, print by print, so batches do not show in the rounding.
    """
    notional = sum(map(mul, price, size), minute.notional)
    volume = sum(size, minute.volume)
    # One value that is no number makes the sums none. Without such values min and max are sound.
    if not (isfinite(notional) and isfinite(volume)):
        raise ValueError(_what_is_wrong(price, size))
    low, high = min(price), max(price)
    if not (low > 0 and min(size) >= 0):
        raise ValueError(_what_is_wrong(price, size))
    if low < minute.low:
        minute.low = low
    if high > minute.high:
        minute.high = high
    minute.close = price[-1]
    minute.volume = volume
    minute.notional = notional
    minute.trades += len(price)


def _what_is_wrong(price: Sequence[float], size: Sequence[float]) -> str:
    for value in price:
        if not (isfinite(value) and value > 0):
            return f"price {value} is not a number above zero"
    for value in size:
        if not (isfinite(value) and value >= 0):
            return f"size {value} is not a number from zero up"
    return "prices times sizes add up to more than a float can hold"
