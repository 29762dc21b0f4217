"""Orders of deployments that count in shares of before a split. No I/O: when a deployment was made
is looked up before its commands are applied."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from shared.models.identifiers import OrderId, Symbol
from shared.models.orders import Command, Order, ReplaceOrder, SubmitOrder
from shared.trading.changes import order_id_of
from shared.trading.terms import Refused

Find = Callable[[Command, OrderId], Order | None]


class Outdating:
    def __init__(self, before: Mapping[Symbol, datetime], find: Find) -> None:
        #: Of each symbol that was split.
        self._before = before
        self._find = find
        self._made_at: dict[UUID, datetime] = {}

    def unknown_to(self, command: Command) -> UUID | None:
        """The deployment that must be looked up."""
        named = self._named_by(command)
        return None if named is None or named[0] in self._made_at else named[0]

    def learn(self, made_at: Mapping[UUID, datetime]) -> None:
        self._made_at.update(made_at)

    def fault_of(self, command: Command) -> Refused | None:
        named = self._named_by(command)
        if named is None:
            return None
        deployment_id, symbol = named
        made_at, before = self._made_at.get(deployment_id), self._before[symbol]
        if made_at is not None and made_at >= before:
            return None
        return Refused(
            "deployment_outdated",
            f"The strategy counts in shares of before a split of {symbol}: deploy it anew.",
            limit=before.isoformat(),
            observed=None if made_at is None else made_at.isoformat(),
        )

    def _named_by(self, command: Command) -> tuple[UUID, Symbol] | None:
        if not self._before or not isinstance(command, SubmitOrder | ReplaceOrder):
            return None
        name = order_id_of(command.account_id, command.mode, command.client_order_id)
        if self._find(command, name) is not None:
            return None  # it came again: it gets its first answer
        if isinstance(command, SubmitOrder):
            deployment_id, symbol = command.deployment_id, command.symbol
        else:
            old = self._find(command, command.order_id)
            if old is None:
                return None
            deployment_id, symbol = old.deployment_id, old.symbol
        if deployment_id is None or symbol not in self._before or command.mode != "paper":
            return None
        return deployment_id, symbol
