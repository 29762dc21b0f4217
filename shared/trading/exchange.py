"""Currencies of one set of books: what is quoted in another than the account's counts at a rate.

A rate is the account's currency for one unit of another. Cash is held in each currency by itself
and that of others never falls below zero: what a fill needs beyond it is bought with the account's
currency, at the rate and the spread against the trader. See docs/currencies.md.

Refused, or stored as a rejected or cancelled order: `fx_rate_missing`, `fx_rate_stale`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from shared.models.identifiers import Symbol
from shared.trading.amounts import BASIS_POINTS, ZERO, rounded, rounded_down, rounded_up, shown
from shared.trading.terms import Limits, Refused


class Rate(NamedTuple):
    value: Decimal
    #: When it held.
    at: datetime


#: Of one currency in another, the newest that is known; None without one.
RateOf = Callable[[str, str], Rate | None]


def no_rate(_: str, __: str) -> Rate | None:
    return None


class Purchase(NamedTuple):
    """Foreign cash, and what it costs in the account's currency."""

    currency: str
    amount: Decimal
    cost: Decimal
    rate: Decimal


class Exchange:
    def __init__(
        self,
        base: str,
        limits: Limits,
        rate_of: RateOf = no_rate,
        foreign: Mapping[Symbol, str] | None = None,
        used: Mapping[str, Decimal] | None = None,
    ) -> None:
        self.base = base
        #: Currencies of the symbols that are not quoted in the account's. Empty for most books,
        #: which then pay nothing for all of this.
        self.foreign: dict[Symbol, str] = dict(foreign or {})
        #: What the books have used last: the value of foreign cash is never unknown.
        self.used: dict[str, Decimal] = dict(used or {})
        self._limits = limits
        self._rate_of = rate_of

    def rate(self, currency: str) -> Decimal:
        """However old it is; zero when there never was one, and so nothing is held in it."""
        known = self._rate_of(currency, self.base)
        return self.used.get(currency, ZERO) if known is None else known.value

    def in_base(self, symbol: Symbol, amount: Decimal) -> Decimal:
        """An amount in the symbol's currency."""
        if not self.foreign:
            return amount
        currency = self.foreign.get(symbol)
        return amount if currency is None else self.valued(currency, amount)

    def valued(self, currency: str, amount: Decimal) -> Decimal:
        return rounded(amount * self.rate(currency)) if amount else ZERO

    def worth_of_base(self, currency: str, amount: Decimal) -> Decimal:
        """So much of the account's currency, in another."""
        rate = self.rate(currency)
        return rounded_down(amount / rate) if rate else ZERO

    def fault_of(self, currency: str, at: datetime) -> Refused | None:
        """Why there is no rate to trade at."""
        known = self._rate_of(currency, self.base)
        if known is None:
            return Refused(
                "fx_rate_missing", f"There is no rate of {currency} in {self.base} for this time."
            )
        age_s = int((at - known.at).total_seconds())
        if age_s > self._limits.fx_rate_age_s:
            return Refused(
                "fx_rate_stale",
                f"The rate of {currency} in {self.base} is too old, in seconds.",
                limit=str(self._limits.fx_rate_age_s),
                observed=str(age_s),
            )
        return None

    def buying(self, currency: str, amount: Decimal) -> Purchase:
        """Of foreign cash. The caller has asked whether the rate can be traded at."""
        rate = rounded_up(self.rate(currency) * (1 + self._spread))
        return Purchase(currency, amount, rounded_up(amount * rate), rate)

    def selling_rate(self, currency: str) -> Decimal:
        return rounded_down(self.rate(currency) * (1 - self._spread))

    @property
    def _spread(self) -> Decimal:
        return self._limits.fx_spread_bps / BASIS_POINTS


def cannot_pay(there: Decimal, cost: Decimal) -> Refused:
    return Refused(
        "insufficient_cash",
        "The fill would have taken cash below zero.",
        limit=shown(there),
        observed=shown(cost),
    )
