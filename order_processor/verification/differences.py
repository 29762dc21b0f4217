"""What a check of the books found. Amounts are texts: they are there to be read."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from shared.models.identifiers import Mode

#: Of a check: differences are counted beyond it, and not kept.
MOST_KEPT = 200


class Difference(msgspec.Struct, frozen=True):
    account_id: UUID
    mode: Mode
    #: What was compared, such as `positions` or `ledger_balance`.
    check: str
    #: Which of them, such as a symbol or an entry's number.
    item: str
    expected: str
    found: str


class BooksCheck(msgspec.Struct, frozen=True):
    id: UUID
    #: `running` until it has ended; `failed` when it could not be carried out to its end.
    status: Literal["running", "done", "failed"]
    #: `user:<uuid>`, or `nightly`.
    requested_by: str
    #: None for the books of all accounts.
    account_id: UUID | None
    started_at: datetime
    finished_at: datetime | None
    #: Sets of books (account and mode) and executions that were looked at so far.
    books: int
    executions: int
    differences: int
    #: The first of them.
    details: list[Difference]
    error: str | None
