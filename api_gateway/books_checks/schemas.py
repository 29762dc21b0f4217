from typing import Literal
from uuid import UUID

from api_gateway.values import Input, UtcTime, View
from shared.models.identifiers import Mode


class BooksCheckStart(Input):
    #: All accounts when absent.
    account_id: UUID | None = None


class BooksDifference(View):
    account_id: UUID
    mode: Mode
    #: What was compared, such as `positions` or `ledger_balance`.
    check: str
    #: Which of them, such as a symbol or an entry's number.
    item: str
    expected: str
    found: str


class BooksCheckView(View):
    id: UUID
    #: `failed` when it could not be carried out to its end; `error` says why.
    status: Literal["running", "done", "failed"]
    #: `user:<id>`, or `nightly`.
    requested_by: str
    account_id: UUID | None
    started_at: UtcTime
    finished_at: UtcTime | None
    #: Sets of books (account and mode) and executions that were looked at so far.
    books: int
    executions: int
    differences: int
    #: The first 200 of them.
    details: list[BooksDifference]
    error: str | None
