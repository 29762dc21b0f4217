"""Cash in, out, and from one account of an owner to another."""

from uuid import UUID, uuid4

import structlog
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.accounts import repository
from api_gateway.cash.schemas import (
    CashAdjustment,
    CashConversion,
    CashMovement,
    CashTransfer,
    TransferView,
)
from api_gateway.errors import Refused
from api_gateway.orders.requests import OrderProcessor
from shared.database.tables import AccountRow
from shared.models.cash import CashKind, CashReply, ConversionReply, transfer_id_of
from shared.models.identifiers import Mode

log = structlog.get_logger()


class Cash:
    def __init__(self, sessions: sessionmaker[Session], processor: OrderProcessor) -> None:
        self._sessions = sessions
        self._processor = processor

    async def enter(
        self, account_id: UUID, user_id: UUID, kind: CashKind, body: CashMovement | CashAdjustment
    ) -> CashReply:
        """At most one entry for its client entry id."""
        account = await run_in_threadpool(self._account, account_id)
        return await self._processor.move_cash(
            account_id,
            user_id,
            mode=body.mode,
            kind=kind,
            amount=-body.amount if kind == "withdrawal" else body.amount,
            currency=body.currency or account.base_currency,
            client_entry_id=body.client_entry_id or uuid4().hex,
            reason=body.reason,
        )

    async def convert(
        self, account_id: UUID, user_id: UUID, body: CashConversion
    ) -> ConversionReply:
        """At most one conversion for its client entry id."""
        return await self._processor.convert_cash(
            account_id,
            user_id,
            mode=body.mode,
            from_currency=body.from_currency,
            to_currency=body.to_currency,
            amount=body.amount,
            client_entry_id=body.client_entry_id or uuid4().hex,
            reason=body.reason,
        )

    async def transfer(
        self, account_id: UUID, user_id: UUID, body: CashTransfer
    ) -> tuple[TransferView, bool]:
        """The transfer, and whether it was made before.

        Two steps that each commit: it leaves, it arrives. When we die in between, or the other
        account's shard doesn't answer, the order processor brings it there.
        """
        account = await run_in_threadpool(self._ends, account_id, body.to_account_id)
        name = body.client_entry_id or uuid4().hex
        currency = body.currency or account.base_currency
        left = await self._processor.move_cash(
            account_id,
            user_id,
            mode=body.mode,
            kind="transfer",
            amount=-body.amount,
            currency=currency,
            client_entry_id=name,
            reason=body.reason,
            transfer_id=transfer_id_of(account_id, body.mode, name),
            counterpart_id=body.to_account_id,
        )
        arrived = await self._arrive(account_id, body.mode, left)
        told = TransferView(
            transfer_id=transfer_id_of(account_id, body.mode, name),
            from_account_id=account_id,
            to_account_id=body.to_account_id,
            client_entry_id=name,
            amount=body.amount,
            currency=currency,
            status="completed" if arrived else "under_way",
            balance=left.entry.balance,
        )
        return told, left.repeated

    async def _arrive(self, account_id: UUID, mode: Mode, left: CashReply) -> bool:
        try:
            await self._processor.complete_transfer(account_id, mode, left.entry)
        except Refused as refused:
            if refused.code != "outcome_unknown":
                # Nothing refuses what has left; should it, the money is not lost: it is looked
                # after until it has arrived.
                log.error("transfer_not_taken", code=refused.code, account_id=str(account_id))
            return False
        return True

    def _account(self, account_id: UUID) -> AccountRow:
        with self._sessions() as db:
            account = repository.account(db, account_id)
        if account is None:
            raise Refused("not_found", "There is no such account.")
        return account

    def _ends(self, account_id: UUID, to_account_id: UUID) -> AccountRow:
        """The account that it leaves; both are one owner's."""
        account = self._account(account_id)
        with self._sessions() as db:
            other = repository.account(db, to_account_id)
        if other is None or other.owner_id != account.owner_id:
            raise Refused("not_found", "You have no such account to transfer to.")
        if other.status != "active":
            raise Refused("account_closed", "The account to transfer to is closed.")
        return account
