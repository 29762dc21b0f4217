"""Cash, entry by entry, with a running balance of each currency that always adds up."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.cash import EntryKind, LedgerEntry, MoveCash
from shared.trading.amounts import ZERO, rounded

__all__ = ["Ledger", "LedgerEntry"]


class Ledger:
    def __init__(
        self,
        currency: str,
        balance: Decimal = ZERO,
        seq: int = 0,
        foreign: Mapping[str, Decimal] | None = None,
        entered: Decimal = ZERO,
    ) -> None:
        #: The account's, and the cash in it.
        self.currency = currency
        self.balance = balance
        #: Cash in other currencies, never below zero.
        self.foreign: dict[str, Decimal] = dict(foreign or {})
        #: In the account's currency, what no execution, no split and no conversion entered.
        self.entered = entered
        #: Number of the last entry; 0 while there is none.
        self.seq = seq

    def balance_of(self, currency: str) -> Decimal:
        return self.balance if currency == self.currency else self.foreign.get(currency, ZERO)

    def _after(self, currency: str, amount: Decimal) -> Decimal:
        if currency == self.currency:
            self.balance += amount
            return self.balance
        self.foreign[currency] = after = self.foreign.get(currency, ZERO) + amount
        return after

    def _note(self, amount: Decimal, rate: Decimal | None) -> None:
        self.entered += amount if rate is None else rounded(amount * rate)

    def enter(
        self,
        kind: EntryKind,
        amount: Decimal,
        at: datetime,
        execution_id: UUID | None = None,
        *,
        reason: str | None = None,
        currency: str | None = None,
        rate: Decimal | None = None,
    ) -> LedgerEntry:
        """In the account's currency, if no other is said; another has its rate."""
        currency = currency or self.currency
        if execution_id is None and kind not in ("fx", "cash_in_lieu"):
            self._note(amount, rate)
        self.seq += 1
        return LedgerEntry(
            self.seq,
            kind,
            amount,
            currency,
            self._after(currency, amount),
            execution_id,
            at,
            submitted_by=None if reason is None else "platform",
            reason=reason,
            rate=rate,
        )

    def pay(
        self,
        kind: EntryKind,
        amount: Decimal,
        at: datetime,
        entry_id: str,
        currency: str | None = None,
        rate: Decimal | None = None,
    ) -> LedgerEntry:
        """What the platform pays, or asks for when it is below zero, once for an `entry_id`."""
        entry = self.enter(kind, amount, at, reason=None, currency=currency, rate=rate)
        return msgspec.structs.replace(entry, client_entry_id=entry_id, submitted_by="platform")

    def move(self, command: MoveCash, at: datetime, rate: Decimal | None = None) -> LedgerEntry:
        """Enter what a command says; it was checked."""
        self._note(command.amount, rate)
        self.seq += 1
        return LedgerEntry(
            self.seq,
            command.kind,
            command.amount,
            command.currency,
            self._after(command.currency, command.amount),
            None,
            at,
            client_entry_id=command.client_entry_id,
            submitted_by=command.submitted_by,
            reason=command.reason,
            transfer_id=command.transfer_id,
            counterpart_id=command.counterpart_id,
            rate=rate,
        )
