"""What other currencies are worth in the account's, over time. Pure.

Cash of another currency is like a position that costs and is worth what its rate says. So the curve
of an account in several currencies is made as any other's.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.metrics.equity_curve import Closes
from shared.trading.amounts import exactly, measured, rounded

#: When it held, in microseconds, and the account's currency for one unit.
RatePoint = tuple[int, Decimal]


class RateSeries:
    def __init__(self, points: Iterable[RatePoint]) -> None:
        """Of two for the same time, the later one counts."""
        self._points = sorted(points, key=_time)
        self._times = [at_us for at_us, _ in self._points]

    def at(self, at_us: int) -> Decimal:
        """The newest that is not later; before the first, the first."""
        return self._points[max(bisect_right(self._times, at_us) - 1, 0)][1]

    @property
    def last(self) -> Decimal:
        return self._points[-1][1]

    def with_closes(self, closes: Closes, *, inverse: bool) -> "RateSeries":
        prices = ((at_us, measured(close)) for at_us, close in closes)
        return RateSeries(
            [
                *((at_us, inverted(price) if inverse else price) for at_us, price in prices),
                *self._points,
            ]
        )

    def closes(self) -> Closes:
        return [(at_us, float(rate)) for at_us, rate in self._points]


def _time(point: RatePoint) -> int:
    return point[0]


@exactly
def inverted(rate: Decimal) -> Decimal:
    return rounded(1 / rate)


def cash_name(currency: str) -> str:
    """Of its cash as a position. It has a blank, which no symbol has."""
    return f"{currency} cash"


@dataclass(frozen=True)
class Abroad:
    base: str
    #: By currency.
    series: Mapping[str, RateSeries]
    #: Of symbols that are not quoted in the account's.
    currencies: Mapping[str, str]

    @property
    def cash_names(self) -> set[str]:
        return {cash_name(each) for each in self.series}

    @property
    def pairs(self) -> set[str]:
        """Symbols whose prices are rates."""
        return {f"{each}{self.base}" for each in self.series} | {
            f"{self.base}{each}" for each in self.series
        }

    def in_base(self, closes: Mapping[str, Closes], traded: set[str]) -> dict[str, Closes]:
        """Of what was traded, in the account's currency, and of the cash in others."""
        converted: dict[str, Closes] = {}
        merged: dict[str, RateSeries] = {}
        for currency, known in self.series.items():
            series = known.with_closes(closes.get(f"{currency}{self.base}", ()), inverse=False)
            series = series.with_closes(closes.get(f"{self.base}{currency}", ()), inverse=True)
            merged[currency] = series
            converted[cash_name(currency)] = series.closes()
        for symbol in traded & closes.keys():
            abroad = self.currencies.get(symbol)
            if abroad is None:
                converted[symbol] = closes[symbol]
            else:
                series = merged[abroad]
                converted[symbol] = [
                    (at_us, float(measured(close) * series.at(at_us)))
                    for at_us, close in closes[symbol]
                ]
        return converted
