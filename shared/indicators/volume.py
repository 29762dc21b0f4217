"""Indicators of volume: on-balance volume, money flow index, volume-weighted average price."""

from collections.abc import Mapping
from typing import Any, Self

from shared.candles.calendar import SessionCalendar
from shared.indicators.checks import ROUNDING, refuse_candle, refuse_unless_finite
from shared.indicators.fields import Count, Number, OptionalNumber, Part
from shared.indicators.indicator import NEVER, CandleIndicator
from shared.indicators.parameters import period
from shared.indicators.sma import SMA
from shared.models.market import Candle


class OBV(CandleIndicator[float]):
    """Volume of candles that closed higher, less that of those that closed lower.

    It begins with the first candle's volume, as TA-Lib's does; only its changes mean something.
    Joseph Granville, New Key to Stock Market Profits (1963).
    """

    __slots__ = ("_close",)
    columns = ("close", "volume")
    fields = {"close": OptionalNumber()}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._close: float | None = None

    @property
    def warm_up(self) -> int:
        return 1

    @property
    def memory(self) -> int:
        return NEVER

    def peek(self, candle: Candle, /) -> float:
        refuse_unless_finite(candle)
        if self._close is None:
            return candle.volume
        total: float = self.value
        if candle.close > self._close:
            return total + candle.volume
        return total - candle.volume if candle.close < self._close else total

    def update(self, candle: Candle, /) -> float:
        self.value = result = self.peek(candle)
        self._close = candle.close
        return result

    def _check(self, loaded: Mapping[str, Any], value: Any) -> None:
        if (value is None) != (loaded["close"] is None):
            raise ValueError(f"value {value} and close {loaded['close']} don't fit")


class MFI(CandleIndicator[float]):
    """Share of the money that flowed at a rising typical price, in percent.

    The typical price is the mean of high, low and close, its flow that times the volume; 0 when
    nothing flowed. By Gene Quong and Avrum Soudack (1989).
    """

    __slots__ = ("_down", "_price", "_up", "period")
    columns = ("high", "low", "close", "volume")
    parameters = (period(14, least=2),)
    fields = {"price": OptionalNumber(), "up": Part(), "down": Part()}  # noqa: RUF012
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._price: float | None = None
        self._up, self._down = SMA(period), SMA(period)

    @property
    def warm_up(self) -> int:
        return self.period + 1

    @property
    def memory(self) -> int:
        return self.warm_up

    def peek(self, candle: Candle, /) -> float | None:
        refuse_unless_finite(candle)
        if self._price is None:
            return None
        _, up, down = self._flows(candle, self._price)
        return self._share(self._up.peek(up), self._down.peek(down))

    def update(self, candle: Candle, /) -> float | None:
        refuse_unless_finite(candle)
        if self._price is None:
            self._price = (candle.high + candle.low + candle.close) / 3
            return None
        self._price, up, down = self._flows(candle, self._price)
        self.value = result = self._share(self._up.update(up), self._down.update(down))
        return result

    def _flows(self, candle: Candle, before: float) -> tuple[float, float, float]:
        price = (candle.high + candle.low + candle.close) / 3
        flow = price * candle.volume
        # Three equal numbers rarely have themselves as their mean.
        if abs(price - before) <= ROUNDING * (abs(price) + abs(before)):
            return price, 0.0, 0.0
        return (price, flow, 0.0) if price > before else (price, 0.0, flow)

    def _share(self, up: float | None, down: float | None) -> float | None:
        if up is None or down is None:
            return None
        both = up + down
        return 100.0 * (up / both) if both else 0.0


class VWAP(CandleIndicator[float]):
    """Average price of all that was traded since the session opened.

    From each candle's own volume-weighted price, so it is the average over the prints and not
    one of typical prices. The session is the one of `calendar` that the candle starts in; by
    default a UTC day. Until a session's first volume it is the close.
    """

    __slots__ = ("_ends_ns", "_money", "_volume", "calendar")
    columns = ("vwap", "volume")
    fields = {"ends_ns": Count(), "money": Number(), "volume": Number()}  # noqa: RUF012

    def __init__(self, calendar: SessionCalendar | None = None) -> None:
        super().__init__()
        self.calendar = calendar or SessionCalendar.continuous()
        #: When the next session opens.
        self._ends_ns = 0
        self._money = 0.0
        self._volume = 0.0

    @property
    def warm_up(self) -> int:
        return 1

    @property
    def memory(self) -> int:
        #: Minutes of a day, the longest session.
        return 1440

    def twin(self) -> Self:
        return type(self)(self.calendar)

    def peek(self, candle: Candle, /) -> float:
        money, volume = self._with(candle, candle.start_ns >= self._ends_ns)
        return money / volume if volume else candle.close

    def update(self, candle: Candle, /) -> float:
        """OutsideCalendarError, and nothing changed, for a candle outside the calendar."""
        new = candle.start_ns >= self._ends_ns
        money, volume = self._with(candle, new)
        if new:
            self._ends_ns = self.calendar.session_at(candle.start_ns).next_open_ns
        self._money, self._volume = money, volume
        self.value = result = money / volume if volume else candle.close
        return result

    def _with(self, candle: Candle, new: bool) -> tuple[float, float]:
        money = candle.vwap * candle.volume
        total = money + candle.close
        if total - total:
            refuse_candle(candle)
        return (
            (money, candle.volume) if new else (self._money + money, self._volume + candle.volume)
        )
