"""What a strategy asks for, and what it hears about its orders."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, cast

from shared.models.orders import Execution, Order, OrderStatus, OrderType, Side, TimeInForce
from strategy_workers.sdk.errors import StrategyError

Quantity = Decimal | int | float

#: An order's new status, or `refused`: it was wrong in itself, and nothing was stored.
OrderEventKind = OrderStatus | Literal["refused"]


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One happening in the life of an order that this deployment sent."""

    kind: OrderEventKind
    #: What `buy` and `sell` returned.
    client_order_id: str
    symbol: str
    side: Side
    #: The order after it; None when it was refused.
    order: Order | None = None
    #: The fill, for the kinds `partially_filled` and `filled`.
    execution: Execution | None = None
    reason_code: str | None = None
    reason: str | None = None


class Ticket(NamedTuple):
    """An order as a strategy fills it in: numbers checked for sense, not against the market."""

    symbol: str
    side: Side
    qty: Decimal
    type: OrderType
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    time_in_force: TimeInForce
    expires_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What is to change of a working order; None stays as it is."""

    qty: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    reason: str


def revision(
    *,
    qty: Quantity | None = None,
    limit_price: Quantity | None = None,
    stop_price: Quantity | None = None,
    trail_price: Quantity | None = None,
    trail_percent: Quantity | None = None,
    reason: str = "",
) -> Revision:
    """Raises StrategyError."""
    given = [
        None if number is None else exact(number)
        for number in (qty, limit_price, stop_price, trail_price, trail_percent)
    ]
    if all(number is None for number in given):
        raise StrategyError("can't replace an order by the same: say what is to change")
    for number in given:
        if number is not None and number <= 0:
            raise StrategyError(f"can't replace an order with {number}: it must be above zero")
    amount, limit, stop, trail, percent = given
    return Revision(amount, limit, stop, trail, percent, reason)


def ticket(
    symbol: str,
    side: Side,
    qty: Quantity,
    *,
    limit_price: Quantity | None = None,
    stop_price: Quantity | None = None,
    trail_price: Quantity | None = None,
    trail_percent: Quantity | None = None,
    time_in_force: TimeInForce | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
) -> Ticket:
    """The type follows from the prices that are given. Raises StrategyError."""
    amount = exact(qty)
    what = f"can't {side} {amount} {symbol}"
    if amount <= 0:
        raise StrategyError(f"{what}: the quantity must be above zero")
    limit, stop, trail, percent = (
        None if price is None else _price(what, price)
        for price in (limit_price, stop_price, trail_price, trail_percent)
    )
    trailing = trail is not None or percent is not None
    if trailing and (limit is not None or stop is not None):
        raise StrategyError(f"{what}: a trailing stop has no other price")
    if trail is not None and percent is not None:
        raise StrategyError(f"{what}: a trail is a price or a percentage, not both")
    if time_in_force not in (None, "gtd") and expires_at is not None:
        raise StrategyError(f"{what}: only a gtd order has an end of its own")
    return Ticket(
        symbol=symbol,
        side=side,
        qty=amount,
        type=_type_of(limit, stop, trailing=trailing),
        limit_price=limit,
        stop_price=stop,
        trail_price=trail,
        trail_percent=percent,
        time_in_force=time_in_force or ("gtc" if expires_at is None else "gtd"),
        expires_at=expires_at,
        reason=reason,
    )


def _price(what: str, price: Quantity) -> Decimal:
    value = exact(price)
    if value <= 0:
        raise StrategyError(f"{what} at {value}: a price must be above zero")
    return value


def _type_of(limit: Decimal | None, stop: Decimal | None, *, trailing: bool) -> OrderType:
    if trailing:
        return "trailing_stop"
    if stop is not None:
        return "stop" if limit is None else "stop_limit"
    return "market" if limit is None else "limit"


def exact(number: Quantity) -> Decimal:
    """The decimal that a float shows as (0.1 is 0.1); raises StrategyError for NaN and infinity."""
    value = number if isinstance(number, Decimal) else Decimal(str(cast("float", number)))
    if not value.is_finite():
        raise StrategyError(f"{number} is not a number to trade with")
    return value
