"""Orders as they begin: submitted, in place of another, or to close a position."""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.orders import ClosePositions, Order, ReplaceOrder, SubmitOrder
from shared.trading.amounts import ZERO, plain, shown
from shared.trading.changes import order_id_of
from shared.trading.matching import awaits_trigger, with_mark
from shared.trading.positions import Holding
from shared.trading.terms import Refused
from shared.trading.working import is_exit


def new_order(
    command: SubmitOrder,
    seq: int,
    at: datetime,
    expires_at: datetime | None,
    last_price: Decimal | None,
    tick: Decimal,
    *,
    extended_hours: bool,
) -> Order:
    """A trailing stop begins at the last price. No price or amount is zero: they are checked."""
    account_id, mode, name = command.account_id, command.mode, command.client_order_id
    # In the order of the fields: naming each takes four times as long.
    order = Order(
        order_id_of(account_id, mode, name),
        account_id,
        mode,
        name,
        command.submitted_by,
        command.deployment_id,
        command.symbol,
        command.side,
        command.order_type,
        command.time_in_force,
        plain(command.qty),
        command.limit_price and plain(command.limit_price),
        "new",
        ZERO,  # filled, at no average price yet
        None,
        None,  # no reason, and no sentence of it
        None,
        seq,
        at,
        at,
        command.stop_price and plain(command.stop_price),
        command.trail_price and plain(command.trail_price),
        command.trail_percent and plain(command.trail_percent),
        expires_at=expires_at,
        notional=command.notional and plain(command.notional),
        extended_hours=extended_hours,
    )
    if order.type == "trailing_stop" and last_price is not None:
        return with_mark(order, last_price, tick)
    return order


def revision(order: Order, command: ReplaceOrder) -> SubmitOrder | Refused:
    """The order that replaces `order`, as if it were submitted good till cancelled: how long it
    works is not revised, and so not checked again. It is for what hasn't filled of `order`."""
    if order.deployment_id is not None and command.submitted_by != order.submitted_by:
        return Refused(
            "order_of_deployment",
            "The order belongs to a running strategy, which follows it: cancel it instead.",
        )
    given = (
        command.qty,
        command.limit_price,
        command.stop_price,
        command.trail_price,
        command.trail_percent,
    )
    if all(each is None for each in given):
        return Refused("nothing_to_replace", "Say at least one thing that is to change.")
    if order.notional is not None:
        return Refused(
            "notional_not_replaceable", "An order for an amount of money is cancelled instead."
        )
    if command.qty is not None and is_exit(order):
        return Refused(
            "qty_follows_group",
            "The quantity of an exit follows its group: replace the entry's, or cancel.",
        )
    if command.stop_price is not None and order.triggered_at is not None:
        return Refused(
            "order_triggered", "A print has reached the stop: it can't be moved any more."
        )
    qty = order.qty if command.qty is None else command.qty
    if order.filled_qty and qty.is_finite() and qty <= order.filled_qty:
        return Refused(
            "qty_not_above_filled",
            "The quantity is the order's as a whole: it must be above what has filled already.",
            limit=shown(order.filled_qty),
            observed=shown(qty),
        )
    trail_price, trail_percent = command.trail_price, command.trail_percent
    if trail_price is None and trail_percent is None:
        trail_price, trail_percent = order.trail_price, order.trail_percent
    stop_price = command.stop_price
    if stop_price is None and order.type != "trailing_stop":
        stop_price = order.stop_price
    return SubmitOrder(
        request_id=command.request_id,
        reply_to=command.reply_to,
        account_id=order.account_id,
        mode=order.mode,
        client_order_id=command.client_order_id,
        submitted_by=command.submitted_by,
        deployment_id=order.deployment_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.type,
        time_in_force="gtc",
        qty=qty - order.filled_qty,
        limit_price=order.limit_price if command.limit_price is None else command.limit_price,
        stop_price=stop_price,
        trail_price=trail_price,
        trail_percent=trail_percent,
    )


def successor(new: Order, old: Order, tick: Decimal) -> Order:
    """`new` with what it keeps of the order that it replaces: its end, its trigger, its mark."""
    kept = msgspec.structs.replace(
        new,
        time_in_force=old.time_in_force,
        expires_at=old.expires_at,
        triggered_at=old.triggered_at,
        closes_position=old.closes_position,
        replaces=old.id,
        order_class=old.order_class,
        group_id=old.group_id,
        group_role=old.group_role,
        protects_position=old.protects_position,
        extended_hours=old.extended_hours,
    )
    if kept.type == "trailing_stop" and awaits_trigger(old):
        return with_mark(kept, old.hwm, tick)
    return kept


def closing(holding: Holding, command: ClosePositions, lot: Decimal) -> SubmitOrder | Refused:
    """The order that closes the position, or the part of it that the command says."""
    held = qty = abs(holding.qty)
    if command.qty is not None and command.percent is not None:
        return Refused("qty_ambiguous", "Say a quantity or a percent, not both.")
    if command.qty is not None:
        qty = command.qty
        if qty.is_finite() and qty > held:
            return Refused(
                "qty_exceeds_position",
                "There is less in the position than that.",
                limit=shown(held),
                observed=shown(qty),
            )
    if command.percent is not None:
        if not command.percent.is_finite() or not 0 < command.percent <= 100:
            return Refused(
                "invalid_percent",
                "The percent must be above 0 and at most 100.",
                limit="100",
                observed=shown(command.percent),
            )
        if command.percent != 100:
            qty = (held * command.percent / 100) // lot * lot
        if not qty:
            return Refused(
                "qty_below_lot", "That part of the position is less than one lot.", shown(lot), "0"
            )
    return SubmitOrder(
        request_id=command.request_id,
        reply_to=command.reply_to,
        account_id=command.account_id,
        mode=command.mode,
        client_order_id=closing_id(command, holding.symbol),
        submitted_by=command.submitted_by,
        deployment_id=command.deployment_id,
        symbol=holding.symbol,
        side="sell" if holding.qty > 0 else "buy",
        order_type="market",
        time_in_force="gtc",
        qty=qty,
    )


def closing_id(command: ClosePositions, symbol: str) -> str:
    """Client order id of the order that closes the position in `symbol`."""
    if command.symbol is not None:
        return command.client_order_id
    return f"{command.client_order_id}.{symbol}"
