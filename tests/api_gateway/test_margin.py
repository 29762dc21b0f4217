"""Kinds of accounts, and what a margin account shows."""

from typing import Any

import pytest

from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.test_accounts import code

USUAL = {
    "initial_percent": "50",
    "maintenance_long_percent": "25",
    "maintenance_short_percent": "30",
    "interest_bps": "0",
}


@pytest.mark.usefixtures("processor")
async def test_an_account_is_a_margin_account_and_a_cash_account_again(
    trader: Person, account: dict[str, Any]
) -> None:
    path = f"/accounts/{account['id']}"
    assert account["margin_terms"] is None
    seen = (await trader.http.get(f"{path}/margin")).json()
    assert (seen["kind"], seen["terms"], seen["figures"], seen["call"]) == ("cash",) + (None,) * 3
    assert (await trader.http.get(f"{path}/portfolio")).json()["margin"] is None
    changed = await trader.http.patch(f"{path}/margin", json={"kind": "margin"})
    assert (changed.status_code, changed.json()["terms"]) == (200, USUAL)
    again = await trader.http.patch(f"{path}/margin", json={"initial_percent": 75.5})
    assert again.json()["terms"] == {**USUAL, "initial_percent": "75.5"}
    assert (await trader.http.get(path)).json()["margin_terms"] == again.json()["terms"]
    figures = (await trader.http.get(f"{path}/portfolio")).json()["margin"]
    assert (figures["buying_power"], figures["use_percent"]) == ("200", "0")
    refused = await trader.http.patch(f"{path}/margin", json={"initial_percent": "99"})
    assert code(refused) == (409, "requirement_not_met")
    assert (refused.json()["limit"], refused.json()["observed"]) == ("1", "2")
    assert (await trader.http.patch(f"{path}/margin", json={"kind": "cash"})).json()["kind"] == (
        "cash"
    )
    assert (await trader.http.get(path)).json()["margin_terms"] is None


@pytest.mark.usefixtures("processor")
async def test_an_account_is_opened_as_a_margin_account(trader: Person) -> None:
    terms = {"initial_percent": "60", "interest_bps": "550"}
    opening = {"name": "Mine", "kind": "margin", "margin_terms": terms}
    opened = await trader.http.post("/accounts", json=opening)
    assert opened.status_code == 201
    assert opened.json()["margin_terms"] == {**USUAL, **terms}
    assert code(
        await trader.http.post("/accounts", json={"name": "Other", "margin_terms": terms})
    ) == (422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "credit"},
        {"kind": "cash", "initial_percent": "50"},
        {"initial_percent": "50"},
        {"kind": "margin", "initial_percent": "9"},
        {"kind": "margin", "initial_percent": "NaN"},
        {"kind": "margin", "maintenance_long_percent": "51"},
        {"kind": "margin", "interest_bps": "-1"},
        {"kind": "margin", "leverage": "4"},
    ],
)
@pytest.mark.usefixtures("processor")
async def test_terms_that_make_no_sense_change_nothing(
    trader: Person, account: dict[str, Any], body: dict[str, Any]
) -> None:
    path = f"/accounts/{account['id']}"
    answer = await trader.http.patch(f"{path}/margin", json=body)
    assert code(answer) == (422, "invalid_request")
    assert (await trader.http.get(path)).json()["margin_terms"] is None


@pytest.mark.usefixtures("processor")
async def test_only_its_owner_changes_the_kind_of_an_account(
    api: Api, trader: Person, account: dict[str, Any]
) -> None:
    path = f"/accounts/{account['id']}/margin"
    stranger, admin = await api.person("eve"), await api.admin()
    assert code(await stranger.http.get(path)) == (404, "not_found")
    assert code(await stranger.http.patch(path, json={"kind": "margin"})) == (404, "not_found")
    assert (await admin.http.get(path)).status_code == 200
    assert code(await admin.http.patch(path, json={"kind": "margin"})) == (
        403,
        "admins_can_not_trade",
    )
