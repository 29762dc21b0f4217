"""Commission models: what the parts of an order cost.

A model says how much each execution adds to the order's commission, exactly. What is charged is
the order's commission so far in whole cents, less what was charged before: so the parts of an
order cost together what one fill would, and a minimum counts once for the order. What a model
adds is never below zero.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shared.trading.amounts import BASIS_POINTS, ZERO, to_cents
from shared.trading.bounds import within

_MOST_TIERS = 20
_MOST_AMOUNT = 1_000_000
_HUNDRED = Decimal(100)


class Part(msgspec.Struct, frozen=True):
    """One execution, and what came before it. Values are quantity times price."""

    qty: Decimal
    value: Decimal
    #: Of the same order.
    qty_before: Decimal = ZERO
    value_before: Decimal = ZERO
    #: Of the account, in the calendar month of market time.
    month_value: Decimal = ZERO
    #: The order rested at its limit when the market came to it.
    maker: bool = False


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="model"):
    pass


class NoCommission(_Model, frozen=True, tag="none"):
    def added(self, _part: Part) -> Decimal:
        return ZERO


class PercentCommission(_Model, frozen=True, tag="percent"):
    """Basis points of value."""

    bps: Decimal

    def __post_init__(self) -> None:
        within("bps", self.bps, 0, 10_000)

    def added(self, part: Part) -> Decimal:
        return part.value * self.bps / BASIS_POINTS


class PerShareCommission(_Model, frozen=True, tag="per_share"):
    """An amount per unit of quantity, at least `minimum` an order, and at most
    `maximum_percent` of the order's value, which counts more than the minimum."""

    amount: Decimal
    minimum: Decimal = ZERO
    maximum_percent: Decimal | None = None

    def __post_init__(self) -> None:
        within("amount", self.amount, 0, _MOST_AMOUNT)
        within("minimum", self.minimum, 0, _MOST_AMOUNT)
        if self.maximum_percent is not None:
            within("maximum_percent", self.maximum_percent, 0, 100)

    def added(self, part: Part) -> Decimal:
        before = self._of_order(part.qty_before, part.value_before)
        after = self._of_order(part.qty_before + part.qty, part.value_before + part.value)
        return after - before

    def _of_order(self, qty: Decimal, value: Decimal) -> Decimal:
        if not qty:
            return ZERO
        commission = max(qty * self.amount, self.minimum)
        if self.maximum_percent is None:
            return commission
        return min(commission, value * self.maximum_percent / _HUNDRED)


class PerOrderCommission(_Model, frozen=True, tag="per_order"):
    """With the order's first execution."""

    amount: Decimal

    def __post_init__(self) -> None:
        within("amount", self.amount, 0, _MOST_AMOUNT)

    def added(self, part: Part) -> Decimal:
        return ZERO if part.qty_before else self.amount


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    #: Value from which on the rate holds.
    from_value: Decimal
    bps: Decimal

    def __post_init__(self) -> None:
        within("from_value", self.from_value, 0, 10**15)
        within("bps", self.bps, 0, 10_000)


class TieredCommission(_Model, frozen=True, tag="tiered"):
    """Basis points that depend on the value traded in the order or in the month. Each rate
    holds for the value between its tier and the next alone."""

    per: Literal["order", "month"]
    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.tiers) <= _MOST_TIERS:
            raise ValueError(f"tiers must be 1 to {_MOST_TIERS}")
        bounds = [tier.from_value for tier in self.tiers]
        if bounds[0] != 0:
            raise ValueError("the first tier must be from_value 0")
        if bounds != sorted(set(bounds)):
            raise ValueError("tiers must ascend by from_value")

    def added(self, part: Part) -> Decimal:
        before = part.value_before if self.per == "order" else part.month_value
        return _tiered(self.tiers, before + part.value) - _tiered(self.tiers, before)


def _tiered(tiers: Sequence[Tier], value: Decimal) -> Decimal:
    total, ends = ZERO, [tier.from_value for tier in tiers[1:]]
    for tier, end in zip(tiers, [*ends, max(value, tiers[-1].from_value)], strict=True):
        if value <= tier.from_value:
            break
        total += (min(value, end) - tier.from_value) * tier.bps / BASIS_POINTS
    return total


class MakerTakerCommission(_Model, frozen=True, tag="maker_taker"):
    """Basis points of value: less, usually, for an order that rested at its limit."""

    maker_bps: Decimal
    taker_bps: Decimal

    def __post_init__(self) -> None:
        within("maker_bps", self.maker_bps, 0, 10_000)
        within("taker_bps", self.taker_bps, 0, 10_000)

    def added(self, part: Part) -> Decimal:
        return part.value * (self.maker_bps if part.maker else self.taker_bps) / BASIS_POINTS


Commission = (
    NoCommission
    | PercentCommission
    | PerShareCommission
    | PerOrderCommission
    | TieredCommission
    | MakerTakerCommission
)


def expected_fee(model: Commission, qty: Decimal, value: Decimal, month_value: Decimal) -> Decimal:
    """Of an order that fills whole and at once; for a maker and taker model at its higher rate."""
    part = Part(qty, value, month_value=month_value)
    if isinstance(model, MakerTakerCommission):
        resting = Part(qty, value, month_value=month_value, maker=True)
        return to_cents(max(model.added(part), model.added(resting)))
    return to_cents(model.added(part))


class Turnover:
    """Value that an account has traded in the present calendar month (UTC) of market time.

    When the month of the fills changes, in whichever direction, it begins anew.
    """

    def __init__(self, month: int = 0, value: Decimal = ZERO) -> None:
        self._month = month
        self._value = value

    def at(self, at: datetime) -> Decimal:
        return self._value if month_of(at) == self._month else ZERO

    def add(self, at: datetime, value: Decimal) -> None:
        month = month_of(at)
        if month != self._month:
            self._month, self._value = month, ZERO
        self._value += value


def month_of(at: datetime) -> int:
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.year * 12 + utc.month
