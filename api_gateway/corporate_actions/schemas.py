from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.values import Exact, Input, PositiveDecimal, Symbol, UtcTime, View

Shares = Annotated[int, Field(ge=1, le=10_000)]


class SplitRatio(Input):
    """So many new shares for so many old ones."""

    new: Shares
    old: Shares


class ActionAnnouncement(Input):
    id: Annotated[UUID, Field(description="Yours: sending it again gives the first answer.")]
    symbol: Symbol
    kind: Literal["split", "dividend"]
    ratio: Annotated[SplitRatio | None, Field(description="Of a split.")] = None
    amount: Annotated[
        PositiveDecimal | None,
        Field(description="Of a dividend: cash a share, at most 6 decimals.", examples=["0.24"]),
    ] = None
    ex_date: Annotated[date, Field(description="A day on which the instrument trades.")]


class FailureView(View):
    """It could not be carried out on one account's books. After a split, nothing is traded in the
    symbol there until it is tried again or cancelled, but for `traded_since`."""

    account_id: UUID
    mode: Literal["paper", "live"]
    code: str
    reason: str
    attempt: int
    failed_at: UtcTime


class ActionView(View):
    id: UUID
    symbol: str
    kind: Literal["split", "dividend"]
    ratio_new: int | None
    ratio_old: int | None
    amount: Exact | None
    ex_date: date
    #: Market time at which the session of the ex-date starts: then it is carried out.
    effective_at: UtcTime
    announced_by: str
    announced_at: UtcTime
    status: Literal["announced", "failed", "cancelled"]
    #: How often it was to be tried again where it had failed.
    retries: int
    cancelled_at: UtcTime | None
    cancelled_by: str | None
    #: Sets of books on which it was carried out so far, and on which it could not be.
    effects: int
    failed: int
    #: Parts of the platform that have brought it to all of their books.
    looks: int
    #: The newest 20 of those that failed.
    failures: list[FailureView]
