"""What a strategy asks for, and what it hears about its orders."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, TypedDict, cast

from shared.models.orders import (
    Execution,
    Order,
    OrderClass,
    OrderStatus,
    OrderType,
    Side,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
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


class Stop(NamedTuple):
    """A stop loss: at `price`, with a limit price a stop-limit; or a trailing stop, by one of the
    two distances."""

    price: Quantity | None = None
    limit_price: Quantity | None = None
    trail_price: Quantity | None = None
    trail_percent: Quantity | None = None


class OrderTerms(TypedDict, total=False):
    """What `buy` and `sell` can be told besides symbol, quantity and limit."""

    stop_price: Quantity | None
    #: A trailing stop has one of the two: a distance in price, or in percent.
    trail_price: Quantity | None
    trail_percent: Quantity | None
    #: Good till cancelled without, or until `expires_at`.
    time_in_force: TimeInForce | None
    expires_at: datetime | None
    #: Exits that wait for the order to fill: both make a bracket, one alone an OTO.
    take_profit: Quantity | None
    stop_loss: Quantity | Stop | None
    #: Whether it fills outside of regular hours too; as the account's terms say without.
    extended_hours: bool | None
    #: The text of its signal.
    reason: str


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
    order_class: OrderClass
    take_profit: TakeProfit | None
    stop_loss: StopLoss | None
    extended_hours: bool | None
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
    take_profit: Quantity | None = None,
    stop_loss: Quantity | Stop | None = None,
    oco: bool = False,
    extended_hours: bool | None = None,
    reason: str = "",
) -> Ticket:
    """Type and class follow from the prices that are given; `oco`: it is made of its exits alone.
    Raises StrategyError."""
    amount = exact(qty)
    what = f"can't {side} {amount} {symbol}"
    if amount <= 0:
        raise StrategyError(f"{what}: the quantity must be above zero")
    limit = None if limit_price is None else _price(what, limit_price)
    stop = None if stop_price is None else _price(what, stop_price)
    trail = None if trail_price is None else _price(what, trail_price)
    percent = None if trail_percent is None else _price(what, trail_percent)
    target = None if take_profit is None else _price(what, take_profit)
    trailing = _trails(what, trail, percent, (limit, stop))
    if time_in_force not in (None, "gtd") and expires_at is not None:
        raise StrategyError(f"{what}: only a gtd order has an end of its own")
    if extended_hours not in (None, True, False):
        raise StrategyError(f"{what}: extended_hours is true or false, not {extended_hours!r}")
    guard = None if stop_loss is None else _stop_loss(what, stop_loss)
    return Ticket(
        symbol=symbol,
        side=side,
        qty=amount,
        type="limit" if oco else _type_of(limit, stop, trailing=trailing),
        limit_price=limit,
        stop_price=stop,
        trail_price=trail,
        trail_percent=percent,
        time_in_force=time_in_force or ("gtc" if expires_at is None else "gtd"),
        expires_at=expires_at,
        order_class="oco" if oco else _class_of(target, guard),
        take_profit=None if target is None else TakeProfit(limit_price=target),
        stop_loss=guard,
        extended_hours=extended_hours,
        reason=reason,
    )


def _stop_loss(what: str, given: Quantity | Stop) -> StopLoss:
    stop, limit, trail, percent = (
        None if price is None else _price(f"{what} with a stop loss", price)
        for price in (given if isinstance(given, Stop) else Stop(given))
    )
    trailing = _trails(what, trail, percent, (stop, limit))
    if stop is None and not trailing:
        raise StrategyError(f"{what}: a stop loss has a price or a trail")
    return StopLoss(stop_price=stop, limit_price=limit, trail_price=trail, trail_percent=percent)


def _trails(
    what: str, trail: Decimal | None, percent: Decimal | None, others: tuple[Decimal | None, ...]
) -> bool:
    if trail is None and percent is None:
        return False
    if any(price is not None for price in others):
        raise StrategyError(f"{what}: a trailing stop has no other price")
    if trail is not None and percent is not None:
        raise StrategyError(f"{what}: a trail is a price or a percentage, not both")
    return True


def _class_of(take_profit: Decimal | None, stop_loss: StopLoss | None) -> OrderClass:
    if take_profit is None and stop_loss is None:
        return "simple"
    return "oto" if take_profit is None or stop_loss is None else "bracket"


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
