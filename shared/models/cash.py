"""Cash: the command that moves it, the ledger's entries, and what is told of them."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from shared.models.base import Message
from shared.models.identifiers import AccountId, Mode

#: What people and the platform enter; fills and fees come from executions.
CashKind = Literal["deposit", "withdrawal", "interest", "adjustment", "transfer"]
EntryKind = Literal[
    "deposit",
    "withdrawal",
    "interest",
    "adjustment",
    "transfer",
    "fill",
    "fee",
    "fx",
    "dividend",
    "cash_in_lieu",
]
#: Paid in or taken out by the owner: neither is a profit or a loss.
FLOW_KINDS: tuple[EntryKind, ...] = ("deposit", "withdrawal", "transfer")


class LedgerEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    #: From 1, without gaps.
    seq: int
    kind: EntryKind
    #: Positive when cash comes in.
    amount: Decimal
    currency: str
    #: Sum of all amounts of the currency up to this one.
    balance: Decimal
    execution_id: UUID | None
    at: datetime
    #: Names what was entered by a command, for good; None for the others.
    client_entry_id: str | None = None
    #: `user:<uuid>`, or `platform`.
    submitted_by: str | None = None
    reason: str | None = None
    #: Both halves of a transfer have its id, and each the other's account.
    transfer_id: UUID | None = None
    counterpart_id: UUID | None = None
    #: The account's currency for one unit of the entry's, where that is another; of both sides of a
    #: conversion, the rate that it was made at.
    rate: Decimal | None = None


class ForeignCashMarked(msgspec.Struct, frozen=True):
    cash: Decimal
    #: Of the account's currency, for one unit.
    rate: Decimal


class MoveCash(Message, frozen=True, tag="move_cash"):
    """At most one entry for a (account, mode, client_entry_id), however often it is sent.

    A transfer is two of these: first what leaves, and when that is committed, what arrives at the
    other account. The second is sent until it is there, by whoever finds that it isn't.
    """

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    client_entry_id: str
    submitted_by: str
    kind: CashKind
    #: Below zero when cash leaves.
    amount: Decimal
    #: That of the account, or another that has a rate.
    currency: str
    reason: str | None = None
    transfer_id: UUID | None = None
    counterpart_id: AccountId | None = None
    #: Of what arrives in another currency than the account's: the rate that it left at.
    rate: Decimal | None = None


def transfer_id_of(account_id: UUID, mode: Mode, client_entry_id: str) -> UUID:
    """Of the transfer whose leaving half has this name."""
    return uuid5(account_id, f"{mode}/{client_entry_id}")


def arriving_entry_id(transfer_id: UUID) -> str:
    """Name of the arriving half. It has a blank, which no name that a client gives has."""
    return f"transfer {transfer_id}"


class ConvertCash(Message, frozen=True, tag="convert_cash"):
    """At most one conversion for a (account, mode, client_entry_id), however often it is sent.

    It is two entries, of which the first has that name.
    """

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    client_entry_id: str
    submitted_by: str
    #: One of the two is the account's.
    from_currency: str
    to_currency: str
    #: Of the first: what is sold.
    amount: Decimal
    reason: str | None = None


def bought_entry_id(client_entry_id: str) -> str:
    """Name of a conversion's second entry. It has a blank, which no name that a client gives
    has."""
    return f"{client_entry_id} bought"


def entry_names(command: MoveCash | ConvertCash) -> tuple[str, ...]:
    """Of the entries that the command makes."""
    if isinstance(command, MoveCash):
        return (command.client_entry_id,)
    return command.client_entry_id, bought_entry_id(command.client_entry_id)


class ConversionReply(Message, frozen=True, tag="conversion_reply"):
    request_id: str
    sold: LedgerEntry
    bought: LedgerEntry
    #: The command was a repetition: these are the first answer's entries.
    repeated: bool = False


class CashReply(Message, frozen=True, tag="cash_reply"):
    request_id: str
    entry: LedgerEntry
    #: The command was a repetition: this is the first answer's entry.
    repeated: bool = False


class CashMoved(Message, frozen=True, tag="cash"):
    """An entry that no execution made. `entry.balance` is the cash after it."""

    account_id: AccountId
    mode: Mode
    entry: LedgerEntry
    #: Tape entry that the shard had come to.
    tape_id: str


def arriving_half(
    account_id: AccountId, mode: Mode, left: LedgerEntry, request_id: str, reply_to: str
) -> MoveCash:
    """What brings to the other account what has left this one: the same whoever sends it."""
    assert left.transfer_id is not None, "the entry is of a transfer"
    assert left.counterpart_id is not None, "a transfer has another account"
    assert left.submitted_by is not None, "it was made by a command"
    return MoveCash(
        request_id=request_id,
        reply_to=reply_to,
        account_id=AccountId(left.counterpart_id),
        mode=mode,
        client_entry_id=arriving_entry_id(left.transfer_id),
        submitted_by=left.submitted_by,
        kind="transfer",
        amount=-left.amount,
        currency=left.currency,
        reason=left.reason,
        transfer_id=left.transfer_id,
        counterpart_id=account_id,
        rate=left.rate,
    )
