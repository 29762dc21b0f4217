"""Cash, entry by entry, with a running balance that always adds up."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.cash import EntryKind, LedgerEntry, MoveCash
from shared.trading.amounts import ZERO

__all__ = ["Ledger", "LedgerEntry"]


class Ledger:
    def __init__(self, currency: str, balance: Decimal = ZERO, seq: int = 0) -> None:
        self.currency = currency
        self.balance = balance
        #: Number of the last entry; 0 while there is none.
        self.seq = seq

    def enter(
        self,
        kind: EntryKind,
        amount: Decimal,
        at: datetime,
        execution_id: UUID | None = None,
        *,
        reason: str | None = None,
    ) -> LedgerEntry:
        self.seq += 1
        self.balance += amount
        return LedgerEntry(
            self.seq,
            kind,
            amount,
            self.currency,
            self.balance,
            execution_id,
            at,
            submitted_by=None if reason is None else "platform",
            reason=reason,
        )

    def pay(self, kind: EntryKind, amount: Decimal, at: datetime, entry_id: str) -> LedgerEntry:
        """What the platform pays, or asks for when it is below zero, once for an `entry_id`."""
        entry = self.enter(kind, amount, at, reason=None)
        return msgspec.structs.replace(entry, client_entry_id=entry_id, submitted_by="platform")

    def move(self, command: MoveCash, at: datetime) -> LedgerEntry:
        """Enter what a command says; it was checked."""
        self.seq += 1
        self.balance += command.amount
        return LedgerEntry(
            self.seq,
            command.kind,
            command.amount,
            self.currency,
            self.balance,
            None,
            at,
            client_entry_id=command.client_entry_id,
            submitted_by=command.submitted_by,
            reason=command.reason,
            transfer_id=command.transfer_id,
            counterpart_id=command.counterpart_id,
        )
