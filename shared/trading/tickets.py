"""What an order of each type must say, and whether its numbers can be."""

from datetime import datetime
from decimal import Decimal

from shared.models.orders import OrderType, SubmitOrder, TimeInForce
from shared.trading.amounts import shown
from shared.trading.hours import AUCTIONS, Hours, auction_fault, extended_hours_fault
from shared.trading.terms import Instrument, Limits, Refused

#: Types with a limit price, and types with a stop price of their own.
_LIMITED: frozenset[OrderType] = frozenset({"limit", "stop_limit"})
_STOPPED: frozenset[OrderType] = frozenset({"stop", "stop_limit"})
#: Those that fill at their first print or end with it: a stop has nothing to do at once.
AT_ONCE: frozenset[TimeInForce] = frozenset({"ioc", "fok"})
#: Those that end with the first print that they meet, filled or not.
ONE_PRINT = AT_ONCE | AUCTIONS
_ONE_PRINT_TYPES: frozenset[OrderType] = frozenset({"market", "limit"})
_PERCENT_STEP = Decimal("0.01")


def price_fault(order: SubmitOrder, instrument: Instrument, limits: Limits) -> Refused | None:
    kind = order.order_type
    for name, price, wanted in (
        ("limit_price", order.limit_price, kind in _LIMITED),
        ("stop_price", order.stop_price, kind in _STOPPED),
    ):
        if (price is not None) != wanted:
            return _presence_fault(name, kind, wanted=wanted)
        fault = None if price is None else _number_fault(name, price, instrument, limits)
        if fault is not None:
            return fault
    return _trail_fault(order, instrument, limits)


def _presence_fault(name: str, kind: OrderType, *, wanted: bool) -> Refused:
    said = f"A {kind.replace('_', '-')} order"
    if wanted:
        return Refused(f"{name}_missing", f"{said} needs a {name.replace('_', ' ')}.")
    return Refused(f"{name}_not_allowed", f"{said} has no {name.replace('_', ' ')}.")


def _number_fault(
    name: str, price: Decimal, instrument: Instrument, limits: Limits
) -> Refused | None:
    said = name.replace("_", " ")
    if not price.is_finite() or price <= 0:
        return Refused(f"invalid_{name}", f"The {said} must be above zero.", "0", shown(price))
    if price > limits.max_price:
        most = str(limits.max_price)
        return Refused(
            f"{name}_too_large", f"The {said} must be at most {most}.", most, shown(price)
        )
    if price % instrument.tick_size != 0:
        tick = shown(instrument.tick_size)
        return Refused(
            f"{name}_not_on_tick",
            f"The {said} must be a multiple of the tick size {tick}.",
            limit=tick,
            observed=shown(price),
        )
    return None


def _trail_fault(order: SubmitOrder, instrument: Instrument, limits: Limits) -> Refused | None:
    price, percent = order.trail_price, order.trail_percent
    if order.order_type != "trailing_stop":
        if price is None and percent is None:
            return None
        return Refused("trail_not_allowed", "Only a trailing stop has a trail.")
    if (price is None) == (percent is None):
        return Refused(
            "trail_missing" if price is None else "trail_ambiguous",
            "A trailing stop needs a trail price or a trail percent, one of them.",
        )
    if price is not None:
        return _number_fault("trail_price", price, instrument, limits)
    assert percent is not None
    if not percent.is_finite() or not 0 < percent < 100:
        return Refused(
            "invalid_trail_percent",
            "The trail percent must be above 0 and below 100.",
            limit="100",
            observed=shown(percent),
        )
    if percent % _PERCENT_STEP != 0:
        return Refused(
            "trail_percent_not_in_steps",
            f"The trail percent must be a multiple of {_PERCENT_STEP}.",
            limit=str(_PERCENT_STEP),
            observed=shown(percent),
        )
    return None


def time_in_force_fault(
    order: SubmitOrder,
    instrument: Instrument,
    hours: Hours | None,
    market_time: datetime | None,
) -> Refused | None:
    """`hours` as they are now, if known; `market_time` None while it isn't known."""
    force = order.time_in_force
    if force in ONE_PRINT and order.order_type not in _ONE_PRINT_TYPES:
        return Refused(
            "time_in_force_not_allowed",
            "A stop waits for its price: it can't be filled or ended by one print.",
            limit="day, gtc, gtd",
            observed=force,
        )
    if (order.expires_at is not None) != (force == "gtd"):
        return _presence_of_end_fault(force)
    if order.expires_at is not None:
        return _end_fault(order.expires_at, market_time)
    if force == "day" and hours is None:
        return Refused(
            "time_in_force_not_available",
            f"It is not known when the session of {instrument.exchange} ends: "
            "send the order as good till cancelled.",
            limit="gtc",
            observed=force,
        )
    return extended_hours_fault(order) or auction_fault(force, hours, market_time)


def _presence_of_end_fault(force: TimeInForce) -> Refused:
    if force == "gtd":
        return Refused("expires_at_missing", "A GTD order needs the time at which it ends.")
    return Refused("expires_at_not_allowed", "Only a GTD order carries the time at which it ends.")


def _end_fault(end: datetime, market_time: datetime | None) -> Refused | None:
    if end.utcoffset() is None or end.microsecond:
        return Refused(
            "invalid_expires_at",
            "A GTD order ends at a whole second, given with its UTC offset.",
            observed=end.isoformat(),
        )
    if market_time is None:
        return Refused(
            "time_in_force_not_available",
            "The market time is not known before the run's first print: "
            "send the order as good till cancelled.",
            limit="gtc",
            observed="gtd",
        )
    if end <= market_time:
        return Refused(
            "expires_at_passed",
            "The order would have ended already.",
            limit=market_time.isoformat(),
            observed=end.isoformat(),
        )
    return None
