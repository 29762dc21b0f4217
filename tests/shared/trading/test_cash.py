"""What an entry of cash must say, and what the books forbid."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.models.cash import MoveCash, arriving_entry_id, transfer_id_of
from shared.models.identifiers import AccountId
from shared.trading.changes import CashEntered
from shared.trading.terms import Refused
from tests.shared.trading.support import ACCOUNT, SPY, T0, command, open_books, terms

D = Decimal
OTHER = AccountId(UUID(int=2))
TRANSFER = transfer_id_of(ACCOUNT, "paper", "x")


def move(kind: Any, amount: str, name: str = "x", **more: Any) -> MoveCash:
    return MoveCash(
        **{
            "request_id": "r",
            "reply_to": "c",
            "account_id": ACCOUNT,
            "mode": "paper",
            "client_entry_id": name,
            "submitted_by": "user:1",
            "kind": kind,
            "amount": D(amount),
            "currency": "USD",
            **more,
        }
    )


def transfer(amount: str, name: str = "x", **more: Any) -> MoveCash:
    ends = {"transfer_id": TRANSFER, "counterpart_id": OTHER}
    return move("transfer", amount, name, **(ends | more))


def test_each_kind_moves_the_balance_and_keeps_who_and_why() -> None:
    books = open_books(terms("100"))
    moves = [
        move("deposit", "50.25", reason="savings"),
        move("withdrawal", "-20"),
        move("interest", "0.01"),
        move("interest", "-1"),
        move("adjustment", "-2", reason="fee of May"),
        transfer("-7.26"),
        transfer("10", arriving_entry_id(TRANSFER)),
    ]
    taken = [books.move_cash(each, T0) for each in moves]
    entries = [each.entry for each in taken if isinstance(each, CashEntered)]
    balances = ["150.25", "130.25", "130.26", "129.26", "127.26", "120", "130"]
    assert [(entry.kind, entry.amount) for entry in entries] == [
        (each.kind, each.amount) for each in moves
    ]
    assert [entry.balance for entry in entries] == [D(each) for each in balances]
    assert [entry.seq for entry in entries] == list(range(2, 9))
    assert (entries[0].reason, entries[0].submitted_by) == ("savings", "user:1")
    assert entries[5].counterpart_id == OTHER
    assert books.cash == 130


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        *[(move("deposit", bad), "invalid_amount")
          for bad in ("0", "-1", "NaN", "Infinity", "1e13", "1e400", "0.001")],
        (move("withdrawal", "1"), "invalid_amount"),
        (move("deposit", "1", ""), "invalid_entry"),
        (move("deposit", "1", "a\x00b"), "invalid_entry"),
        (move("deposit", "1", "x" * 81), "invalid_entry"),
        (move("deposit", "1", reason="x" * 201), "invalid_entry"),
        (move("adjustment", "1"), "invalid_entry"),
        (move("deposit", "1", counterpart_id=OTHER), "invalid_entry"),
        (move("transfer", "-1"), "invalid_entry"),
        (transfer("-1", counterpart_id=ACCOUNT), "same_account"),
        # The name and the transfer belong together, so that it leaves once and arrives once.
        (transfer("-1", "another"), "invalid_entry"),
        (transfer("1", "x"), "invalid_entry"),
        (move("deposit", "1", submitted_by=""), "invalid_submitter"),
        (move("deposit", "1", currency="EUR"), "fx_rate_missing"),
        (move("withdrawal", "-100.01"), "insufficient_cash"),
        (move("interest", "-100.01"), "insufficient_cash"),
        (transfer("-100.01"), "insufficient_cash"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_or_is_not_there_is_refused_and_changes_nothing(
    entry: MoveCash, code: str
) -> None:
    books = open_books(terms("100"))
    refused = books.move_cash(entry, T0)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert (books.cash, books.free_cash) == (100, 100)
    entered = books.move_cash(move("deposit", "1"), T0)
    assert isinstance(entered, CashEntered)
    assert entered.entry.seq == 2


def test_an_owner_can_not_take_what_working_orders_reserve_but_a_correction_can() -> None:
    books = open_books(terms("1000"))
    books.submit(command("buy", "6", "100"), SPY, D(100), T0, "1-0", None)
    refused = books.move_cash(move("withdrawal", "-400.01"), T0)
    assert refused == Refused(
        "insufficient_cash",
        "There is not so much cash that no working order reserves.",
        limit="400",
        observed="400.01",
    )
    assert isinstance(books.move_cash(move("withdrawal", "-400"), T0), CashEntered)
    assert books.free_cash == 0
    correction = move("adjustment", "-100", "y", reason="booked twice")
    assert isinstance(books.move_cash(correction, T0), CashEntered)
    # Nothing is free now, not less than nothing.
    refused = books.move_cash(move("withdrawal", "-0.01", "z"), T0)
    assert isinstance(refused, Refused)
    assert refused.limit == "0"


def test_a_closed_account_takes_no_deposit_but_what_it_has_may_leave_and_arrive() -> None:
    books = open_books(terms("100", status="closed"))
    refused = books.move_cash(move("deposit", "1"), T0)
    assert isinstance(refused, Refused)
    assert refused.code == "account_closed"
    assert isinstance(books.move_cash(move("withdrawal", "-1"), T0), CashEntered)
    assert isinstance(books.move_cash(transfer("1", arriving_entry_id(TRANSFER)), T0), CashEntered)
