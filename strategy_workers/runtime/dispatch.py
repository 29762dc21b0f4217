"""Sending what deployments decided, until every command is answered."""

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

import structlog

from shared.models.identifiers import AccountId, Mode
from shared.models.orders import Command, OpenBooks, OrderReply, Refusal, Reply
from shared.redis.requests import OrderRequests
from strategy_workers.errors import until_done
from strategy_workers.metrics import ORDERS
from strategy_workers.runtime.commands import (
    cancel_command,
    cancel_outgoing,
    commands_of,
    take_answer,
)
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord
from strategy_workers.runtime.snapshot import Outgoing, OutgoingCancel

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
            ready, waiting = commands_of(deployment, self._requests.reply_to)
            first += [(deployment, outgoing, command) for outgoing, command in ready]
            late += [(deployment, outgoing) for outgoing in waiting]
        await self._send(first)
        await self._send(
            [
                (deployment, outgoing, command)
                for deployment, outgoing in late
                if (command := cancel_outgoing(deployment, outgoing, self._requests.reply_to))
            ]
        )

    async def cancel(self, record: DeploymentRecord, orders: Iterable[tuple[UUID, str]]) -> None:
        """Cancel orders by id; one that has ended meanwhile stays as it ended."""
        await self.ask_all(
            [
                cancel_command(
                    record.account_id,
                    record.mode,
                    record.participant,
                    order_id,
                    name,
                    self._requests.reply_to,
                )
                for order_id, name in orders
            ]
        )

    async def open_books(
        self, accounts: Iterable[tuple[UUID, Mode]]
    ) -> dict[tuple[UUID, Mode], Reply]:
        asked = {f"{account[0].hex}-{account[1]}-books": account for account in accounts}
        replies = await self.ask_all(
            [
                OpenBooks(
                    request_id=request_id,
                    reply_to=self._requests.reply_to,
                    account_id=AccountId(account_id),
                    mode=mode,
                )
                for request_id, (account_id, mode) in asked.items()
            ]
        )
        return {asked[request_id]: reply for request_id, reply in replies.items()}

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
            reply = replies[command.request_id]
            _count_answer(deployment, outgoing, reply)
            news = partial(take_answer, outgoing=outgoing, reply=reply)
            news(deployment)
            deployment.hear(news)


def _count_answer(deployment: Deployment, outgoing: Outgoing, reply: Reply) -> None:
    if isinstance(outgoing, OutgoingCancel):
        return
    if isinstance(reply, OrderReply):
        ORDERS.labels("rejected" if reply.order.status == "rejected" else "taken").inc()
    elif isinstance(reply, Refusal):
        ORDERS.labels("refused").inc()
        log.warning(
            "order_refused",
            deployment=str(deployment.id),
            client_order_id=outgoing.client_order_id,
            code=reply.code,
            message=reply.message,
        )
