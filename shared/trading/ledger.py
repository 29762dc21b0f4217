"""Cash, entry by entry, with a running balance that always adds up."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from shared.trading.amounts import ZERO

EntryKind = Literal["deposit", "fill", "fee"]


class LedgerEntry(msgspec.Struct, frozen=True):
    #: From 1, without gaps.
    seq: int
    kind: EntryKind
    #: Positive when cash comes in.
    amount: Decimal
    currency: str
    #: Sum of all amounts up to this one.
    balance: Decimal
    execution_id: UUID | None
    at: datetime


class Ledger:
    def __init__(self, currency: str, balance: Decimal = ZERO, seq: int = 0) -> None:
        self.currency = currency
        self.balance = balance
        #: Number of the last entry; 0 while there is none.
        self.seq = seq

    def enter(
        self, kind: EntryKind, amount: Decimal, at: datetime, execution_id: UUID | None = None
    ) -> LedgerEntry:
        self.seq += 1
        self.balance += amount
        return LedgerEntry(self.seq, kind, amount, self.currency, self.balance, execution_id, at)
