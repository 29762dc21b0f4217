"""Answers to commands that need no books."""

from order_processor.metrics import COMMANDS
from shared.models.orders import Command, Order, OrderReply, Refusal, Reply, SubmitOrder
from shared.trading.terms import Refused

CONFLICT = Refused(
    "client_order_id_conflict", "Another order of the account has this client order id."
)
SUBMITTER = Refused(
    "invalid_submitter", "Who submits is named by at most 128 printable characters."
)


def refusal(command: Command, why: Refused) -> Refusal:
    return Refusal(
        request_id=command.request_id,
        code=why.code,
        message=why.message,
        limit=why.limit,
        observed=why.observed,
    )


def same_order(order: Order, command: SubmitOrder) -> bool:
    """Whether the command asks for the very order that its client order id already names."""
    return (
        order.symbol == command.symbol
        and order.side == command.side
        and order.type == command.order_type
        and order.time_in_force == command.time_in_force
        and order.qty == command.qty
        and order.limit_price == command.limit_price
        and _same_stop(order, command)
        and (command.time_in_force != "gtd" or order.expires_at == command.expires_at)
        and order.deployment_id == command.deployment_id
        and order.submitted_by == command.submitted_by
    )


def _same_stop(order: Order, command: SubmitOrder) -> bool:
    if order.type == "trailing_stop":
        # Its stop price moves.
        return (order.trail_price, order.trail_percent, None) == (
            command.trail_price,
            command.trail_percent,
            command.stop_price,
        )
    return order.stop_price == command.stop_price


def count(command: Command, reply: Reply) -> None:
    if isinstance(reply, Refusal):
        outcome = reply.code
    elif isinstance(reply, OrderReply):
        outcome = "repeated" if reply.repeated else reply.order.status
    else:
        outcome = "ok"
    COMMANDS.labels(type(command).__struct_config__.tag, outcome).inc()
