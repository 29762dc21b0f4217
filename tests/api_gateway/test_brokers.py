"""An account's connection to its broker, as the gateway lets it through."""

import json
from typing import Any

from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.doubles import HttpDouble, problem

KEYS = {"broker": "alpaca", "key_id": "PK1", "secret": "do-not-tell"}
VIEW = {
    "broker": "alpaca",
    "account_number": "SIM1",
    "connected": True,
    "connected_at": "2026-01-02T03:04:05Z",
    "disconnected_at": None,
}


async def test_an_owner_connects_sees_and_disconnects(
    trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    path = f"/internal/brokers/{account['id']}"
    behind.answer("POST", path, VIEW | {"account_id": account["id"]}, 201)
    answer = await trader.http.put(f"/accounts/{account['id']}/broker", json=KEYS)
    assert (answer.status_code, answer.json()["account_number"]) == (201, "SIM1")
    assert "do-not-tell" not in answer.text
    assert json.loads(behind.seen[-1].body) == KEYS | {"connected_by": f"user:{trader.id}"}
    behind.answer("GET", path, VIEW | {"account_id": account["id"]})
    assert (await trader.http.get(f"/accounts/{account['id']}/broker")).json()["connected"]
    behind.answer("POST", f"{path}/disconnect", None, 204)
    assert (await trader.http.delete(f"/accounts/{account['id']}/broker")).status_code == 204


async def test_what_the_broker_says_of_the_keys_comes_back(
    trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    for status, code in ((422, "broker_credentials"), (503, "broker_away")):
        behind.answer("POST", f"/internal/brokers/{account['id']}", problem(status, code), status)
        answer = await trader.http.put(f"/accounts/{account['id']}/broker", json=KEYS)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_only_an_owner_touches_the_connection(
    api: Api, account: dict[str, Any], behind: HttpDouble
) -> None:
    path = f"/accounts/{account['id']}/broker"
    other, admin = await api.person("eve"), await api.admin()
    for status, person in ((404, other), (403, admin)):
        assert (await person.http.put(path, json=KEYS)).status_code == status
        assert (await person.http.delete(path)).status_code == status
    assert (await other.http.get(path)).status_code == 404
    assert behind.seen == []


async def test_keys_that_can_be_none_are_refused_and_not_repeated(
    trader: Person, account: dict[str, Any], behind: HttpDouble
) -> None:
    for change in (
        {"secret": "do-not-tell\n"},
        {"secret": "do-not-tell é"},
        {"secret": "do-not-tell" * 100},
        {"key_id": ""},
        {"key_id": 7},
        {"broker": "do-not-tell"},
        {"more": "do-not-tell"},
    ):
        answer = await trader.http.put(f"/accounts/{account['id']}/broker", json=KEYS | change)
        assert answer.status_code == 422
        assert "do-not-tell" not in answer.text
    assert behind.seen == []
