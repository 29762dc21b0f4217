"""How paper orders fill and what that costs, chosen by the account's owner."""

from typing import Any

import pytest

from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.test_accounts import code

AT_FIRST = {
    "commission": {"model": "percent", "bps": "1"},
    "slippage": {"model": "bps", "bps": "1"},
    "participation_percent": "0",
    "extended_hours": True,
    "queue": "last",
    "latency_ms": 0,
    "latency_jitter_ms": 0,
}
PER_SHARE = {"model": "per_share", "amount": "0.005", "minimum": "1", "maximum_percent": "0.5"}
TIERED = {
    "model": "tiered",
    "per": "month",
    "tiers": [{"from_value": "0", "bps": "10"}, {"from_value": "100000", "bps": "5"}],
}


def path_of(account: dict[str, Any]) -> str:
    return f"/accounts/{account['id']}/paper-terms"


async def test_what_is_changed_stays_and_what_is_left_out_too(
    trader: Person, account: dict[str, Any]
) -> None:
    path = path_of(account)
    assert (await trader.http.get(path)).json() == account["paper_terms"] == AT_FIRST
    steps: list[dict[str, Any]] = [
        {"commission": PER_SHARE},
        {"slippage": {"model": "ticks", "ticks": 2}, "participation_percent": 12.5},
        {"commission": TIERED},
        {"queue": "displayed", "latency_ms": 50},
        {},
        {"commission": {"model": "maker_taker", "maker_bps": "0.10", "taker_bps": 2}},
    ]
    expected = dict(AT_FIRST)
    for step in steps:
        answer = await trader.http.patch(path, json=step)
        expected |= step
        if "participation_percent" in step:
            expected["participation_percent"] = "12.5"
        if step.get("commission", {}).get("model") == "maker_taker":
            expected["commission"] = {"model": "maker_taker", "maker_bps": "0.1", "taker_bps": "2"}
        assert (answer.status_code, answer.json()) == (200, expected)
        assert (await trader.http.get(path)).json() == expected
    seen = (await trader.http.get(f"/accounts/{account['id']}")).json()
    assert seen["paper_terms"] == expected


@pytest.mark.usefixtures("processor")
async def test_an_account_begins_with_the_terms_that_it_is_opened_with(trader: Person) -> None:
    chosen = {"commission": PER_SHARE, "participation_percent": "5", "extended_hours": False}
    terms = {**AT_FIRST, **chosen, "latency_ms": 20, "slippage": {"model": "bps", "bps": "3"}}
    opened = await trader.http.post(
        "/accounts",
        json={
            "name": "Mine",
            "paper_terms": {**chosen, "latency_ms": 20},
            "paper_slippage_bps": "3",
        },
    )
    assert opened.status_code == 201
    assert opened.json()["paper_terms"] == terms
    both = {"name": "Other", "paper_terms": {"commission": PER_SHARE}, "paper_fee_bps": "1"}
    assert code(await trader.http.post("/accounts", json=both)) == (422, "invalid_request")


async def test_terms_that_make_no_sense_are_refused_and_change_nothing(
    trader: Person, account: dict[str, Any]
) -> None:
    path = path_of(account)
    wrong: list[Any] = [
        [],
        {"fees": 1},
        {"commission": {"model": "free"}},
        {"commission": {"bps": "1"}},
        {"commission": {"model": "percent", "bps": "-1"}},
        {"commission": {"model": "percent", "bps": "NaN"}},
        {"commission": {"model": "percent", "bps": "1e3"}},
        {"commission": {"model": "percent", "bps": "1", "ticks": 1}},
        {"commission": {**PER_SHARE, "maximum_percent": "101"}},
        {"commission": {**TIERED, "tiers": []}},
        {"commission": {**TIERED, "tiers": TIERED["tiers"][1:]}},
        {"commission": {**TIERED, "tiers": TIERED["tiers"] + TIERED["tiers"]}},
        {"slippage": {"model": "ticks", "ticks": "2"}},
        {"participation_percent": "100.5"},
        {"participation_percent": True},
        {"extended_hours": "yes"},
        {"extended_hours": 0},
        {"queue": "middle"},
        {"latency_ms": 10_001},
        {"latency_ms": -1},
        {"latency_ms": 0.5},
        {"latency_jitter_ms": "20"},
    ]
    for change in wrong:
        answer = await trader.http.patch(path, json=change)
        assert code(answer) == (422, "invalid_request"), change
        assert answer.json()["errors"]
    assert (await trader.http.get(path)).json() == AT_FIRST


async def test_terms_are_changed_by_the_owner_alone(api: Api, account: dict[str, Any]) -> None:
    path, change = path_of(account), {"participation_percent": "1"}
    admin, other = await api.admin(), await api.person("eve")
    assert (await admin.http.get(path)).json() == AT_FIRST
    assert code(await admin.http.patch(path, json=change)) == (403, "admins_can_not_trade")
    assert code(await other.http.get(path)) == (404, "not_found")
    assert code(await other.http.patch(path, json=change)) == (404, "not_found")
    assert (await admin.http.get(path)).json() == AT_FIRST
