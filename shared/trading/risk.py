"""What the risk ladder allows: limits of four levels, and of each kind the tightest.

Platform, user and account limit each account by itself, in one mode; a deployment's limits hold for
its own orders.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from shared.models.identifiers import Symbol

Level = Literal["platform", "user", "account", "deployment"]
#: Those that limit an account as a whole, from the top.
ACCOUNT_LEVELS: tuple[Level, ...] = ("platform", "user", "account")


class RiskLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one level. None is no limit."""

    #: Of one order, at its limit, its stop or the last price.
    max_order_value: Decimal | None = None
    #: Of one symbol: what is held and what working buys would add.
    max_position_value: Decimal | None = None
    #: Of all positions, each counted without its sign, and working buys.
    max_gross_exposure: Decimal | None = None
    max_open_orders: int | None = None
    max_orders_per_second: int | None = None
    max_orders_per_minute: int | None = None
    #: How far beyond the last price a limit may be that would fill there at once.
    price_collar_percent: Decimal | None = None
    #: None allows all.
    allowed_symbols: frozenset[Symbol] | None = None
    blocked_symbols: frozenset[Symbol] = frozenset()
    #: `regular`: no orders that fill outside of regular hours too.
    sessions: Literal["regular", "extended"] | None = None
    #: Realised and unrealised, fees included, since the account was last reset. Of a deployment:
    #: of its own positions, since its start.
    max_loss: Decimal | None = None
    #: The same, since the session began.
    max_session_loss: Decimal | None = None
    #: At the loss limit close the positions too.
    flatten_on_loss: bool = False
    #: Strategies that may run at once.
    max_strategies: int | None = None


#: Fields that make sense of a deployment's own orders alone.
OF_DEPLOYMENTS = frozenset(
    {
        "max_order_value",
        "max_open_orders",
        "max_orders_per_second",
        "max_orders_per_minute",
        "price_collar_percent",
        "allowed_symbols",
        "blocked_symbols",
        "sessions",
        "max_loss",
        "flatten_on_loss",
    }
)


class Bound(msgspec.Struct, frozen=True):
    limit: Decimal
    level: Level


class CountBound(msgspec.Struct, frozen=True):
    limit: int
    level: Level


class SymbolRule(msgspec.Struct, frozen=True):
    level: Level
    allowed: frozenset[Symbol] | None
    blocked: frozenset[Symbol]


class Bounds(msgspec.Struct, frozen=True):
    """Of each kind the tightest, with the level that it comes from."""

    order_value: Bound | None = None
    position_value: Bound | None = None
    gross_exposure: Bound | None = None
    open_orders: CountBound | None = None
    per_second: CountBound | None = None
    per_minute: CountBound | None = None
    collar_percent: Bound | None = None
    loss: Bound | None = None
    session_loss: Bound | None = None
    symbols: tuple[SymbolRule, ...] = ()
    flatten_on_loss: bool = False
    #: The level that allows regular hours alone.
    regular_hours: Level | None = None


UNBOUNDED = Bounds()


class Ladder(msgspec.Struct, frozen=True):
    """What holds for one set of books."""

    account: Bounds = UNBOUNDED
    #: Of deployments that have limits of their own; those of other accounts may be among them.
    deployments: Mapping[UUID, Bounds] = {}
    #: Those of them whose loss is limited.
    losses: frozenset[UUID] = frozenset()


NO_LIMITS = Ladder()


class Halt(msgspec.Struct, frozen=True):
    """The kill switch of the whole platform, engaged."""

    #: Rises with each time.
    number: int
    at: datetime
    by: str
    reason: str
    flatten: bool


def tightest(levels: Iterable[tuple[Level, RiskLimits]]) -> Bounds:
    """When two levels say the same, the upper one is named."""
    given = list(levels)
    if not given:
        return UNBOUNDED
    return Bounds(
        order_value=_least(given, "max_order_value"),
        position_value=_least(given, "max_position_value"),
        gross_exposure=_least(given, "max_gross_exposure"),
        open_orders=_fewest(given, "max_open_orders"),
        per_second=_fewest(given, "max_orders_per_second"),
        per_minute=_fewest(given, "max_orders_per_minute"),
        collar_percent=_least(given, "price_collar_percent"),
        loss=_least(given, "max_loss"),
        session_loss=_least(given, "max_session_loss"),
        symbols=tuple(
            SymbolRule(level, limits.allowed_symbols, limits.blocked_symbols)
            for level, limits in given
            if limits.allowed_symbols is not None or limits.blocked_symbols
        ),
        flatten_on_loss=any(limits.flatten_on_loss for _, limits in given),
        regular_hours=next(
            (level for level, limits in given if limits.sessions == "regular"), None
        ),
    )


def _least(given: list[tuple[Level, RiskLimits]], field: str) -> Bound | None:
    found: Bound | None = None
    for level, limits in given:
        limit: Decimal | None = getattr(limits, field)
        if limit is not None and (found is None or limit < found.limit):
            found = Bound(limit, level)
    return found


def _fewest(given: list[tuple[Level, RiskLimits]], field: str) -> CountBound | None:
    found: CountBound | None = None
    for level, limits in given:
        limit: int | None = getattr(limits, field)
        if limit is not None and (found is None or limit < found.limit):
            found = CountBound(limit, level)
    return found
