"""What a deployment decided as order commands, and what their answers do to it. Pure."""

from uuid import UUID

from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.orders import CancelOrder, OrderReply, Refusal, ReplaceOrder, Reply, SubmitOrder
from strategy_workers.runtime.deployment import Deployment
from strategy_workers.runtime.order_groups import not_ended
from strategy_workers.runtime.snapshot import (
    Outgoing,
    OutgoingCancel,
    OutgoingOrder,
    OutgoingReplace,
)

Sending = tuple[Outgoing, SubmitOrder | CancelOrder | ReplaceOrder]


def commands_of(
    deployment: Deployment, reply_to: str
) -> tuple[list[Sending], list[OutgoingCancel]]:
    """The outbox in its order; and the cancels that must wait for the answers of these.

    Those are of orders of the same moment, which have no id before they are answered.
    """
    first: list[Sending] = []
    late: list[OutgoingCancel] = []
    for outgoing in deployment.outbox:
        if isinstance(outgoing, OutgoingOrder):
            first.append((outgoing, submit_command(deployment, outgoing, reply_to)))
        elif isinstance(outgoing, OutgoingReplace):
            first.append((outgoing, replace_command(deployment, outgoing, reply_to)))
        elif command := cancel_outgoing(deployment, outgoing, reply_to):
            first.append((outgoing, command))
        else:
            late.append(outgoing)
    return first, late


def submit_command(deployment: Deployment, order: OutgoingOrder, reply_to: str) -> SubmitOrder:
    return SubmitOrder(
        request_id=order.client_order_id,
        reply_to=reply_to,
        account_id=AccountId(deployment.account_id),
        mode=deployment.mode,
        client_order_id=order.client_order_id,
        submitted_by=deployment.participant,
        symbol=Symbol(order.symbol),
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        qty=order.qty,
        limit_price=order.limit_price,
        deployment_id=deployment.id,
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        expires_at=order.expires_at,
        order_class=order.order_class,
        take_profit=order.take_profit,
        stop_loss=order.stop_loss,
        extended_hours=order.extended_hours,
    )


def replace_command(deployment: Deployment, order: OutgoingReplace, reply_to: str) -> ReplaceOrder:
    return ReplaceOrder(
        request_id=order.client_order_id,
        reply_to=reply_to,
        account_id=AccountId(deployment.account_id),
        mode=deployment.mode,
        order_id=OrderId(order.order_id),
        client_order_id=order.client_order_id,
        submitted_by=deployment.participant,
        qty=order.qty,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
    )


def cancel_outgoing(
    deployment: Deployment, cancel: OutgoingCancel, reply_to: str
) -> CancelOrder | None:
    """None while the order has no id, and when it has ended."""
    order = deployment.portfolio.working.get(cancel.client_order_id)
    if order is None or order.order_id is None:
        return None
    return cancel_command(
        deployment.account_id,
        deployment.mode,
        deployment.participant,
        order.order_id,
        cancel.client_order_id,
        reply_to,
    )


def cancel_command(
    account_id: UUID, mode: Mode, participant: str, order_id: UUID, name: str, reply_to: str
) -> CancelOrder:
    return CancelOrder(
        request_id=f"{name}-cancel",
        reply_to=reply_to,
        account_id=AccountId(account_id),
        mode=mode,
        order_id=OrderId(order_id),
        submitted_by=participant,
    )


def take_answer(deployment: Deployment, outgoing: Outgoing, reply: Reply) -> None:
    if isinstance(outgoing, OutgoingOrder | OutgoingReplace):
        if isinstance(reply, OrderReply):
            for made in (reply.order, *reply.legs):
                deployment.portfolio.answered(made)
        elif isinstance(reply, Refusal):
            deployment.refused(outgoing, reply)
            if isinstance(outgoing, OutgoingReplace):
                deployment.portfolio.works_on(outgoing.order_id)
    elif isinstance(reply, Refusal):
        # It has ended already, and an event tells how; or it works on and can be asked again.
        not_ended(deployment.portfolio.working, outgoing.client_order_id)
