"""Sending what deployments decided, until every command is answered."""

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

import structlog

from shared.models.identifiers import AccountId, Mode, OrderId, Symbol
from shared.models.orders import (
    CancelOrder,
    Command,
    OpenBooks,
    OrderReply,
    Refusal,
    Reply,
    SubmitOrder,
)
from shared.redis.requests import OrderRequests
from strategy_workers.errors import until_done
from strategy_workers.metrics import ORDERS
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord
from strategy_workers.runtime.snapshot import Outgoing, OutgoingCancel, OutgoingOrder

log = structlog.get_logger()


class Dispatch:
    """Every command may be sent again: client order ids and order ids make that safe."""

    def __init__(self, requests: OrderRequests, answer_timeout_s: float) -> None:
        self._requests = requests
        self._timeout_s = answer_timeout_s

    async def send(self, deployments: Sequence[Deployment]) -> None:
        """Send all outboxes in order, and take in the answers."""
        first: list[tuple[Deployment, Outgoing, Command]] = []
        late: list[tuple[Deployment, OutgoingCancel]] = []
        for deployment in deployments:
            for outgoing in deployment.outbox:
                if isinstance(outgoing, OutgoingOrder):
                    first.append((deployment, outgoing, self._submit(deployment, outgoing)))
                elif command := self._cancel(deployment, outgoing):
                    first.append((deployment, outgoing, command))
                else:  # an order of the same moment: it has no id before its answer
                    late.append((deployment, outgoing))
        await self._send(first)
        await self._send(
            [
                (deployment, outgoing, command)
                for deployment, outgoing in late
                if (command := self._cancel(deployment, outgoing))
            ]
        )

    async def cancel(self, record: DeploymentRecord, orders: Iterable[tuple[UUID, str]]) -> None:
        """Cancel orders by id; one that has ended meanwhile stays as it ended."""
        await self.ask_all(
            [
                self._cancel_command(
                    record.account_id, record.mode, record.participant, order_id, name
                )
                for order_id, name in orders
            ]
        )

    async def open_books(self, account_id: UUID, mode: Mode, deployment_id: UUID) -> Reply:
        request_id = f"{deployment_id.hex}-books"
        command = OpenBooks(
            request_id=request_id,
            reply_to=self._requests.reply_to,
            account_id=AccountId(account_id),
            mode=mode,
        )
        return (await self.ask_all([command]))[request_id]

    async def ask_all(self, commands: Sequence[Command]) -> dict[str, Reply]:
        """Send commands in order, those without an answer again and again; all answers."""
        replies: dict[str, Reply] = {}
        missing = list(commands)
        while missing:
            ask = partial(self._requests.ask_all, missing, self._timeout_s)
            replies |= await until_done("orders", ask)
            missing = [command for command in commands if command.request_id not in replies]
            if missing:
                log.warning("answers_overdue", commands=len(missing))
        return replies

    async def _send(self, items: Sequence[tuple[Deployment, Outgoing, Command]]) -> None:
        if not items:
            return
        replies = await self.ask_all([command for _, _, command in items])
        for deployment, outgoing, command in items:
            _take_answer(deployment, outgoing, replies[command.request_id])

    def _submit(self, deployment: Deployment, order: OutgoingOrder) -> SubmitOrder:
        return SubmitOrder(
            request_id=order.client_order_id,
            reply_to=self._requests.reply_to,
            account_id=AccountId(deployment.account_id),
            mode=deployment.mode,
            client_order_id=order.client_order_id,
            submitted_by=deployment.participant,
            symbol=Symbol(order.symbol),
            side=order.side,
            order_type="market" if order.limit_price is None else "limit",
            time_in_force=order.time_in_force,
            qty=order.qty,
            limit_price=order.limit_price,
            deployment_id=deployment.id,
        )

    def _cancel(self, deployment: Deployment, cancel: OutgoingCancel) -> CancelOrder | None:
        order = deployment.portfolio.working.get(cancel.client_order_id)
        if order is None or order.order_id is None:
            return None
        return self._cancel_command(
            deployment.account_id,
            deployment.mode,
            deployment.participant,
            UUID(order.order_id),
            cancel.client_order_id,
        )

    def _cancel_command(
        self, account_id: UUID, mode: Mode, participant: str, order_id: UUID, name: str
    ) -> CancelOrder:
        return CancelOrder(
            request_id=f"{name}-cancel",
            reply_to=self._requests.reply_to,
            account_id=AccountId(account_id),
            mode=mode,
            order_id=OrderId(order_id),
            submitted_by=participant,
        )


def _take_answer(deployment: Deployment, outgoing: Outgoing, reply: Reply) -> None:
    if isinstance(outgoing, OutgoingOrder):
        if isinstance(reply, OrderReply):
            deployment.portfolio.answered(reply.order)
            ORDERS.labels("rejected" if reply.order.status == "rejected" else "taken").inc()
        elif isinstance(reply, Refusal):
            deployment.refused(outgoing, reply)
            ORDERS.labels("refused").inc()
            log.warning(
                "order_refused",
                deployment=str(deployment.id),
                client_order_id=outgoing.client_order_id,
                code=reply.code,
                message=reply.message,
            )
    elif isinstance(reply, Refusal):
        # It has ended already, and an event tells how; or it works on and can be asked again.
        order = deployment.portfolio.working.get(outgoing.client_order_id)
        if order is not None:
            order.cancelling = False
