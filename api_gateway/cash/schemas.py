from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.values import (
    Capital,
    ClientOrderId,
    Currency,
    Exact,
    Input,
    Remark,
    SignedMoney,
    UtcTime,
    View,
)
from shared.models.cash import EntryKind
from shared.models.identifiers import Mode


class _Named(Input):
    client_entry_id: Annotated[
        ClientOrderId | None,
        Field(
            description="Names the entry for the account and mode, for good: sending it again "
            "gives the first answer. Made here when absent.",
            examples=["savings-2026-11"],
        ),
    ] = None
    mode: Mode = "paper"


class _Entered(_Named):
    currency: Annotated[
        Currency | None, Field(description="The account's, if no other is said.", examples=["EUR"])
    ] = None


class CashMovement(_Entered):
    amount: Annotated[Capital, Field(description="Above zero.", examples=["2500"])]
    reason: Remark | None = None


class CashTransfer(CashMovement):
    to_account_id: Annotated[UUID, Field(description="Another account of yours.")]


class CashConversion(_Named):
    from_currency: Annotated[
        Currency, Field(description="One of the two is the account's.", examples=["USD"])
    ]
    to_currency: Annotated[Currency, Field(examples=["EUR"])]
    amount: Annotated[Capital, Field(description="Of the first; above zero.", examples=["1000"])]
    reason: Remark | None = None


class CashAdjustment(_Entered):
    amount: Annotated[SignedMoney, Field(description="Below zero takes.", examples=["-12.5"])]
    reason: Remark


class LedgerEntryView(View):
    seq: int
    kind: EntryKind
    amount: Exact
    currency: str
    #: Cash in the currency after this entry.
    balance: Exact
    execution_id: UUID | None
    at: UtcTime
    #: Of what was entered by a request; None for the others.
    client_entry_id: str | None
    submitted_by: str | None
    reason: str | None
    #: Both halves of a transfer have its id, and each the other's account.
    transfer_id: UUID | None
    counterpart_id: UUID | None
    #: The account's currency for one unit of the entry's, where that is another; of both entries of
    #: a conversion, the rate that it was made at.
    rate: Exact | None


class ConversionView(View):
    sold: LedgerEntryView
    bought: LedgerEntryView


class TransferView(View):
    transfer_id: UUID
    from_account_id: UUID
    to_account_id: UUID
    client_entry_id: str
    amount: Exact
    currency: str
    #: `under_way`: it has left, and will arrive without anyone's doing.
    status: Literal["completed", "under_way"]
    #: Cash of the account that it left, after it.
    balance: Exact
