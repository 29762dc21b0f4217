"""Answers to commands that need no books."""

import logging
from collections.abc import Sequence
from functools import lru_cache

import msgspec
import structlog
from prometheus_client import Counter
from structlog.typing import FilteringBoundLogger

from order_processor.metrics import COMMANDS
from shared.models.cash import CashReply, ConversionReply, ConvertCash, LedgerEntry, MoveCash
from shared.models.orders import (
    Command,
    Order,
    OrderReply,
    ProtectPosition,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.trading.amounts import ZERO
from shared.trading.classes import class_fault, parts_of
from shared.trading.terms import Refused

CONFLICT = Refused(
    "client_order_id_conflict", "Another order of the account has this client order id."
)
ENTRY_CONFLICT = Refused(
    "client_entry_id_conflict", "Another entry of the account has this client entry id."
)
SUBMITTER = Refused(
    "invalid_submitter", "Who submits is named by at most 128 printable characters."
)


NO_ORDER = Refused("not_found", "There is no such order.")


def not_working(order: Order) -> Refused:
    return Refused(
        "order_not_working", f"The order is {order.status} already.", observed=order.status
    )


def refusal(command: Command, why: Refused) -> Refusal:
    return Refusal(
        request_id=command.request_id,
        code=why.code,
        message=why.message,
        limit=why.limit,
        observed=why.observed,
        level=why.level,
    )


def same_order(order: Order, legs: Sequence[Order | None], command: SubmitOrder) -> bool:
    """Whether the command asks for the very orders that its client order ids already name."""
    if order.order_class != command.order_class or class_fault(command) is not None:
        return False
    (_, first), *others = parts_of(command)
    if order.order_class == "oco" and any(leg and leg.filled_qty for leg in legs):
        first = msgspec.structs.replace(first, qty=order.qty)
    # The quantity of an exit may have followed its group since.
    return _same_part(order, first) and all(
        leg is not None and _same_part(leg, msgspec.structs.replace(part, qty=leg.qty))
        for leg, (_, part) in zip(legs, others, strict=True)
    )


def _same_part(order: Order, command: SubmitOrder) -> bool:
    return (
        order.replaces is None
        and not order.closes_position
        and not order.protects_position
        and order.symbol == command.symbol
        and order.side == command.side
        and order.type == command.order_type
        and order.time_in_force == command.time_in_force
        and (order.notional is not None or order.qty == command.qty)
        and order.notional == command.notional
        and order.limit_price == command.limit_price
        and _same_stop(order, command)
        and (command.time_in_force != "gtd" or order.expires_at == command.expires_at)
        and command.extended_hours in (None, order.extended_hours)
        and order.deployment_id == command.deployment_id
        and order.submitted_by == command.submitted_by
    )


def same_entry(entry: LedgerEntry, command: MoveCash) -> bool:
    """Whether the command asks for the very entry that its name already has."""
    return (
        entry.kind == command.kind
        and entry.amount == command.amount
        and entry.currency == command.currency
        and entry.reason == command.reason
        and entry.submitted_by == command.submitted_by
        and entry.transfer_id == command.transfer_id
        and entry.counterpart_id == command.counterpart_id
    )


def same_conversion(sold: LedgerEntry, bought: LedgerEntry, command: ConvertCash) -> bool:
    """Whether the command asks for the very conversion that its name already has."""
    return (
        (sold.kind, bought.kind) == ("fx", "fx")
        and -sold.amount == command.amount
        and (sold.currency, bought.currency) == (command.from_currency, command.to_currency)
        and sold.reason == command.reason
        and sold.submitted_by == command.submitted_by
    )


def same_protection(order: Order, command: ProtectPosition) -> bool:
    """Percents are of a price that may have changed since: they are not looked at again."""
    return (
        order.protects_position
        and order.replaces is None
        and order.symbol == command.symbol
        and order.submitted_by == command.submitted_by
        and (order.group_role == "take_profit") == (command.take_profit is not None)
    )


def same_replacement(order: Order, old: Order | None, command: ReplaceOrder) -> bool:
    """Whether the command asks for the very replacement that its client order id names."""
    asked = [
        (command.limit_price, order.limit_price),
        (command.trail_price, order.trail_price),
        (command.trail_percent, order.trail_percent),
    ]
    if order.type != "trailing_stop":
        asked.append((command.stop_price, order.stop_price))
    return (
        order.replaces == command.order_id
        and order.submitted_by == command.submitted_by
        and _same_replaced_qty(order, old, command)
        and all(wanted is None or wanted == has for wanted, has in asked)
    )


def _same_replaced_qty(order: Order, old: Order | None, command: ReplaceOrder) -> bool:
    """A replacement takes over what the old order had not filled. When it was rejected, or ended
    before it came, the old one went on filling: then what that had filled at the time is known
    only within bounds."""
    if command.qty is None:
        return True
    filled_then = command.qty - order.qty
    filled_now = ZERO if old is None else old.filled_qty
    if order.status in ("rejected", "cancelled"):
        return ZERO <= filled_then <= filled_now
    return filled_then == filled_now


def _same_stop(order: Order, command: SubmitOrder) -> bool:
    if order.type == "trailing_stop":
        # Its stop price moves.
        return (order.trail_price, order.trail_percent, None) == (
            command.trail_price,
            command.trail_percent,
            command.stop_price,
        )
    return order.stop_price == command.stop_price


@lru_cache(maxsize=1)
def _log() -> FilteringBoundLogger:
    """Bound once: else finding out that nothing is to be logged takes longer than all of `note`."""
    bound: FilteringBoundLogger = structlog.get_logger().bind()
    return bound


@lru_cache(maxsize=256)
def _counted(kind: str, outcome: str) -> Counter:
    return COMMANDS.labels(kind, outcome)


def note(command: Command, reply: Reply) -> None:
    """Count it, and log it with the request that it came from. It is not committed yet."""
    if isinstance(reply, Refusal):
        outcome = reply.code
    elif isinstance(reply, OrderReply):
        outcome = "repeated" if reply.repeated else reply.order.status
    elif isinstance(reply, ConversionReply):
        outcome = "repeated" if reply.repeated else reply.sold.kind
    elif isinstance(reply, CashReply):
        outcome = "repeated" if reply.repeated else reply.entry.kind
    else:
        outcome = "ok"
    kind = type(command).__struct_config__.tag
    _counted(kind, outcome).inc()
    log = _log()
    if log.is_enabled_for(logging.DEBUG):
        log.debug(
            "command_applied",
            request_id=command.request_id,
            account_id=str(command.account_id),
            command=kind,
            outcome=outcome,
        )
