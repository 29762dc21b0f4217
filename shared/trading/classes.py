"""The orders that a command of each class makes, and what such a command must say."""

from collections.abc import Mapping

import msgspec

from shared.models.orders import GroupRole, Order, OrderClass, Side, SubmitOrder
from shared.trading.amounts import shown
from shared.trading.terms import Refused
from shared.trading.tickets import ONE_PRINT

#: A client order id with the name of a leg behind it is one too.
_LONGEST_ID = 128 - len(".take_profit")

Part = tuple[GroupRole | None, SubmitOrder]


def parts_of(order: SubmitOrder) -> list[Part]:
    """The orders that the command makes: the one that it names first, exits after their entry.

    `class_fault` has found nothing.
    """
    if order.order_class == "simple":
        return [(None, order)]
    take_profit = order.take_profit
    plain = msgspec.structs.replace(order, take_profit=None, stop_loss=None)
    if order.order_class == "oco":
        exits: list[Part] = []
        if take_profit is not None:
            first = msgspec.structs.replace(plain, limit_price=take_profit.limit_price)
            exits.append(("take_profit", first))
        if order.stop_loss is not None:
            stop = _stop_loss(order, order.side)
            if not exits:  # alone, to protect a position
                stop = msgspec.structs.replace(stop, client_order_id=order.client_order_id)
            exits.append(("stop_loss", stop))
        return exits
    parts: list[Part] = [("entry", plain)]
    side: Side = "sell" if order.side == "buy" else "buy"
    if take_profit is not None:
        parts.append(("take_profit", _take_profit(order, side)))
    if order.stop_loss is not None:
        parts.append(("stop_loss", _stop_loss(order, side)))
    return parts


def leg_ids(order: SubmitOrder) -> list[str]:
    """Client order ids of the orders that the command makes beside the one that it names."""
    named: list[tuple[str, object]] = [("stop_loss", order.stop_loss)]
    if order.order_class != "oco":
        named.insert(0, ("take_profit", order.take_profit))
    if order.order_class == "simple":
        return []
    return [f"{order.client_order_id}.{role}" for role, leg in named if leg is not None]


def _take_profit(order: SubmitOrder, side: Side) -> SubmitOrder:
    assert order.take_profit is not None, "there is one"
    return msgspec.structs.replace(
        order,
        client_order_id=f"{order.client_order_id}.take_profit",
        side=side,
        order_type="limit",
        limit_price=order.take_profit.limit_price,
        stop_price=None,
        trail_price=None,
        trail_percent=None,
        take_profit=None,
        stop_loss=None,
    )


def _stop_loss(order: SubmitOrder, side: Side) -> SubmitOrder:
    stop = order.stop_loss
    assert stop is not None, "there is one"
    trails = stop.trail_price is not None or stop.trail_percent is not None
    stopped = "stop" if stop.limit_price is None else "stop_limit"
    return msgspec.structs.replace(
        order,
        client_order_id=f"{order.client_order_id}.stop_loss",
        side=side,
        order_type="trailing_stop" if trails else stopped,
        limit_price=stop.limit_price,
        stop_price=stop.stop_price,
        trail_price=stop.trail_price,
        trail_percent=stop.trail_percent,
        take_profit=None,
        stop_loss=None,
    )


# --- what it must say ----------------------------------------------------------------------------


def class_fault(order: SubmitOrder) -> Refused | None:
    """What is wrong with the order's class, before its parts are looked at."""
    kind = order.order_class
    if kind == "simple":
        if order.take_profit is None and order.stop_loss is None:
            return None
        return Refused("legs_not_allowed", "A simple order has no take profit and no stop loss.")
    if len(order.client_order_id) > _LONGEST_ID:
        return Refused(
            "invalid_client_order_id",
            f"The client order id of an order with legs has at most {_LONGEST_ID} characters.",
            limit=str(_LONGEST_ID),
            observed=str(len(order.client_order_id)),
        )
    fault = _legs_fault(order, kind)
    if fault is not None:
        return fault
    if order.time_in_force in ONE_PRINT:
        return Refused(
            "time_in_force_not_allowed",
            "Exits wait for their price: the orders of a group can't end with one print.",
            limit="day, gtc, gtd",
            observed=order.time_in_force,
        )
    if kind == "oco" and order.order_type != "limit":
        return Refused(
            "order_type_not_allowed",
            "An OCO order is a limit order: its take profit.",
            limit="limit",
            observed=order.order_type,
        )
    if kind == "oco" and order.limit_price is not None:
        return Refused(
            "limit_price_not_allowed", "The limit of an OCO order is that of its take profit."
        )
    return None


def _legs_fault(order: SubmitOrder, kind: OrderClass) -> Refused | None:
    has = (order.take_profit is not None, order.stop_loss is not None)
    if kind == "oto":
        if has == (True, True):
            return Refused("legs_ambiguous", "An OTO order has one exit; a bracket has two.")
        if has == (False, False):
            return Refused("legs_missing", "An OTO order needs a take profit or a stop loss.")
        return None
    for name, there in zip(("take_profit", "stop_loss"), has, strict=True):
        if not there:
            said = name.replace("_", " ")
            return Refused(f"{name}_missing", f"A {kind.upper()} order needs a {said}.")
    return None


def exits_fault(group: Mapping[GroupRole, SubmitOrder | Order]) -> Refused | None:
    """Whether an exit lies where it would fill at once: at or beyond the entry, or the other."""
    entry, target, stop = (group.get(role) for role in ("entry", "take_profit", "stop_loss"))
    entry_price = None if entry is None else entry.limit_price or entry.stop_price
    stop_price = None if stop is None else stop.stop_price
    target_price = None if target is None else target.limit_price
    an_exit = target or stop
    assert an_exit is not None, "a group has an exit"
    for low, high in (
        (stop_price, entry_price),
        (entry_price, target_price),
        (stop_price, target_price),
    ):
        if low is None or high is None:
            continue
        if (low < high) if an_exit.side == "sell" else (low > high):
            continue
        return Refused(
            "exit_on_wrong_side",
            "A take profit lies beyond the entry, a stop loss behind it.",
            limit=shown(high),
            observed=shown(low),
        )
    return None


def of_leg(fault: Refused, role: GroupRole | None) -> Refused:
    """The fault of a part, told as such."""
    if role is None or role == "entry":
        return fault
    said = role.replace("_", " ").capitalize()
    return msgspec.structs.replace(fault, message=f"{said}: {fault.message}")
