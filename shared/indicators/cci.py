"""Commodity channel index."""

from collections.abc import Mapping
from typing import Any

from shared.indicators.checks import ROUNDING, refuse_unless_finite
from shared.indicators.fields import Count, Numbers
from shared.indicators.indicator import CandleIndicator
from shared.indicators.parameters import period
from shared.models.market import Candle


class CCI(CandleIndicator[float]):
    """Distance of the typical price from its mean, in 0.015 mean distances.

    The typical price is the mean of high, low and close. Every distance changes with the mean,
    so a candle costs time in proportion to `period`. 0 where the distances are mere rounding.
    Donald Lambert, Commodity Channel Index (1980).
    """

    __slots__ = ("_next", "_prices", "period")
    parameters = (period(14, least=2, most=1000),)
    fields = {"prices": Numbers(), "next": Count()}  # noqa: RUF012
    period: int

    def __init__(self, period: int) -> None:
        super().__init__(period)
        #: A ring, once it is full.
        self._prices: list[float] = []
        self._next = 0

    @property
    def warm_up(self) -> int:
        return self.period

    @property
    def memory(self) -> int:
        return self.period

    def peek(self, candle: Candle, /) -> float | None:
        refuse_unless_finite(candle)
        price = (candle.high + candle.low + candle.close) / 3
        prices = self._prices
        if len(prices) + 1 < self.period:
            return None
        ring = [*prices[: self._next], price, *prices[self._next + 1 :]]
        return _index(price, ring, self.period)

    def update(self, candle: Candle, /) -> float | None:
        refuse_unless_finite(candle)
        price = (candle.high + candle.low + candle.close) / 3
        prices = self._prices
        if len(prices) < self.period:
            prices.append(price)
        else:
            prices[self._next] = price
        self._next = (self._next + 1) % self.period
        if len(prices) == self.period:
            self.value = _index(price, prices, self.period)
        return self.value  # type: ignore[no-any-return]

    def _check(self, loaded: Mapping[str, Any], value: Any) -> None:
        count, place = len(loaded["prices"]), loaded["next"]
        if count > self.period or place >= self.period or (count < self.period and place != count):
            raise ValueError(f"{count} prices and place {place} don't fit a period {self.period}")
        if (value is not None) != (count == self.period):
            raise ValueError(f"value {value} doesn't fit {count} of {self.period} prices")


def _index(price: float, prices: list[float], period: int) -> float:
    mean = sum(prices) / period
    distance = sum([abs(one - mean) for one in prices]) / period
    return (price - mean) / (0.015 * distance) if distance > ROUNDING * abs(mean) else 0.0
