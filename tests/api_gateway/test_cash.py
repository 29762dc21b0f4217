"""Cash over HTTP: who may move it, what is refused, and what happens when no answer comes."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

from shared.config import Settings
from shared.models.cash import MoveCash
from tests.api_gateway.conftest import Api, Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble
from tests.api_gateway.test_accounts import code


def cash(account: dict[str, Any], kind: str) -> str:
    return f"/accounts/{account['id']}/cash/{kind}"


async def test_an_owner_pays_in_and_takes_out(trader: Person, account: dict[str, Any]) -> None:
    body = {"amount": "250.5", "client_entry_id": "a", "reason": "savings"}
    first = await trader.http.post(cash(account, "deposits"), json=body)
    again = await trader.http.post(cash(account, "deposits"), json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    entry = first.json()
    assert (entry["kind"], entry["amount"], entry["balance"]) == ("deposit", "250.5", "100250.5")
    assert (entry["submitted_by"], entry["reason"]) == (f"user:{trader.id}", "savings")
    taken = await trader.http.post(cash(account, "withdrawals"), json={"amount": 0.5})
    assert (taken.json()["amount"], taken.json()["balance"]) == ("-0.5", "100250")
    conflict = await trader.http.post(cash(account, "deposits"), json=body | {"amount": 1})
    assert code(conflict) == (409, "client_entry_id_conflict")
    ledger = await trader.http.get(f"/accounts/{account['id']}/ledger?order=oldest")
    assert [item["kind"] for item in ledger.json()["items"]] == [
        "deposit",
        "deposit",
        "withdrawal",
    ]


async def test_more_than_there_is_is_refused_with_what_is_free(
    trader: Person, account: dict[str, Any]
) -> None:
    answer = await trader.http.post(cash(account, "withdrawals"), json={"amount": "100000.01"})
    assert code(answer) == (422, "insufficient_cash")
    assert (answer.json()["limit"], answer.json()["observed"]) == (
        "100000.000000000000",
        "100000.01",
    )
    live = await trader.http.post(cash(account, "deposits"), json={"amount": 1, "mode": "live"})
    assert code(live) == (422, "mode_not_available")


async def test_what_makes_no_sense_reaches_nobody(
    trader: Person, account: dict[str, Any], processor: ProcessorDouble
) -> None:
    amounts = [None, 0, -1, "NaN", "1e3", "0.001", 10**13, True, [], {}]
    for body in (
        {},
        *({"amount": amount} for amount in amounts),
        {"amount": 1, "client_entry_id": "two words"},
        {"amount": 1, "client_entry_id": ""},
        {"amount": 1, "reason": ""},
        {"amount": 1, "reason": "a\u0000b"},
        {"amount": 1, "reason": "x" * 201},
        {"amount": 1, "mode": "demo"},
        {"amount": 1, "kind": "interest"},
    ):
        answer = await trader.http.post(cash(account, "deposits"), json=body)
        assert code(answer) == (422, "invalid_request"), body
    assert not any(isinstance(command, MoveCash) for command in processor.commands)


async def test_cash_goes_to_another_account_of_the_owner_once(
    api: Api, trader: Person, account: dict[str, Any]
) -> None:
    other = (await trader.http.post("/accounts", json={"name": "Other"})).json()
    body = {"amount": "40", "to_account_id": other["id"], "client_entry_id": "t"}
    first = await trader.http.post(cash(account, "transfers"), json=body)
    again = await trader.http.post(cash(account, "transfers"), json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["balance"]) == ("completed", "99960")
    for held, balance, amount in ((account, "99960", "-40"), (other, "100040", "40")):
        ledger = (await trader.http.get(f"/accounts/{held['id']}/ledger")).json()["items"]
        assert (len(ledger), ledger[0]["balance"], ledger[0]["amount"]) == (2, balance, amount)
        assert ledger[0]["transfer_id"] == first.json()["transfer_id"]
    bob = await api.person("bob")
    his = (await bob.http.post("/accounts", json={"name": "His"})).json()
    for to in (his["id"], str(uuid4())):
        answer = await trader.http.post(
            cash(account, "transfers"), json=body | {"to_account_id": to}
        )
        assert code(answer) == (404, "not_found")


async def insist(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send it again while there is no answer in time, as a client does."""
    deadline = time.monotonic() + 30
    while True:
        answer = await person.http.post(path, json=body)
        if answer.status_code != 503:
            told: dict[str, Any] = answer.json()
            return told
        assert time.monotonic() < deadline, answer.text


async def test_a_transfer_whose_other_account_does_not_answer_is_under_way(
    settings: Settings, behind: HttpDouble, processor: ProcessorDouble
) -> None:
    async with running(make_settings(settings, behind.url, order_answer_timeout_s=0.3)) as api:
        trader = await api.person("ada")
        one, other = [await insist(trader, "/accounts", {"name": name}) for name in "ab"]
        processor.deaf_to = UUID(other["id"])
        body = {"amount": "40", "to_account_id": other["id"], "client_entry_id": "t"}
        told = await insist(trader, cash(one, "transfers"), body)
        assert (told["status"], told["balance"]) == ("under_way", "99960")
        processor.deaf_to = None
        deadline = time.monotonic() + 30
        while (told := await insist(trader, cash(one, "transfers"), body))["status"] != "completed":
            assert time.monotonic() < deadline, told
        assert told["balance"] == "99960"


async def test_only_admins_correct_and_post_interest_and_they_pay_nothing_in(
    api: Api, trader: Person, account: dict[str, Any]
) -> None:
    admin = await api.admin()
    body = {"amount": "-12.5", "reason": "Booked twice."}
    adjusted = await admin.http.post(cash(account, "adjustments"), json=body)
    assert (adjusted.status_code, adjusted.json()["balance"]) == (201, "99987.5")
    interest = {"amount": "1.25", "reason": "October"}
    posted = await admin.http.post(cash(account, "interest"), json=interest)
    assert (posted.json()["kind"], posted.json()["balance"]) == ("interest", "99988.75")
    for bad in ({"amount": 1}, {"amount": 0, "reason": "x"}, {"amount": 1, "reason": " "}):
        assert code(await admin.http.post(cash(account, "adjustments"), json=bad)) == (
            422,
            "invalid_request",
        )
    for kind in ("adjustments", "interest"):
        assert code(await trader.http.post(cash(account, kind), json=body)) == (403, "admins_only")
        nowhere = f"/accounts/{uuid4()}/cash/{kind}"
        assert code(await admin.http.post(nowhere, json=body)) == (404, "not_found")
    paid = await admin.http.post(cash(account, "deposits"), json={"amount": 1})
    assert code(paid) == (403, "admins_can_not_trade")
    bob = await api.person("bob")
    his = await bob.http.post(cash(account, "deposits"), json={"amount": 1})
    assert code(his) == (404, "not_found")


async def test_admins_alone_have_the_books_checked(
    api: Api, trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    admin = await api.admin()
    check = {
        "id": str(uuid4()),
        "status": "running",
        "requested_by": f"user:{admin.id}",
        "account_id": account["id"],
        "started_at": "2026-11-20T03:00:00Z",
        "finished_at": None,
        "books": 0,
        "executions": 0,
        "differences": 0,
        "details": [],
        "error": None,
    }
    behind.answer("POST", "/internal/books-checks", check, status=202)
    behind.answer("GET", "/internal/books-checks/last", check)
    started = await admin.http.post("/admin/books-checks", json={"account_id": account["id"]})
    assert (started.status_code, started.json()) == (202, check)
    asked = {"requested_by": f"user:{admin.id}", "account_id": account["id"]}
    assert json.loads(behind.seen[-1].body) == asked
    assert (await admin.http.get("/admin/books-checks/last")).json() == check
    missing = await admin.http.get(f"/admin/books-checks/{uuid4()}")
    assert code(missing) == (404, "not_found")
    nobody = await admin.http.post("/admin/books-checks", json={"account_id": str(uuid4())})
    assert code(nobody) == (404, "not_found")
    assert code(await trader.http.post("/admin/books-checks", json={})) == (403, "admins_only")
    assert code(await trader.http.get("/admin/books-checks/last")) == (403, "admins_only")
