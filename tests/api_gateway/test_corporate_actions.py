import json
from uuid import uuid4

from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.doubles import HttpDouble
from tests.api_gateway.test_accounts import code

PATH = "/admin/corporate-actions"


async def test_admins_alone_announce_splits_and_dividends(
    api: Api, trader: Person, behind: HttpDouble
) -> None:
    admin = await api.admin()
    told = {
        "id": str(uuid4()),
        "symbol": "SPY",
        "kind": "split",
        "ratio_new": 4,
        "ratio_old": 1,
        "amount": None,
        "ex_date": "2026-12-01",
        "effective_at": "2026-12-01T09:00:00Z",
        "announced_by": f"user:{admin.id}",
        "announced_at": "2026-11-20T03:00:00Z",
        "status": "announced",
        "retries": 0,
        "cancelled_at": None,
        "cancelled_by": None,
        "effects": 0,
        "failed": 0,
        "looks": 0,
        "failures": [],
    }
    behind.answer("POST", "/internal/corporate-actions", told, status=201)
    behind.answer("GET", "/internal/corporate-actions", {"items": [told], "next_cursor": None})
    body = {name: told[name] for name in ("id", "symbol", "kind", "ex_date")}
    split = body | {"ratio": {"new": 4, "old": 1}}
    made = await admin.http.post(PATH, json=split)
    assert (made.status_code, made.json()) == (201, told)
    assert json.loads(behind.seen[-1].body) == {
        name: told[name] for name in (*body, "ratio_new", "ratio_old", "amount", "announced_by")
    }
    await admin.http.post(PATH, json=body | {"kind": "dividend", "amount": "0.0000001"})
    assert json.loads(behind.seen[-1].body)["amount"] == "0.0000001"
    assert (await admin.http.get(PATH)).json()["items"] == [told]
    for verb in ("retry", "cancel"):
        path = f"{PATH}/{told['id']}/{verb}"
        behind.answer("POST", f"/internal/corporate-actions/{told['id']}/{verb}", told)
        assert (await admin.http.post(path)).json() == told
        assert code(await trader.http.post(path)) == (403, "admins_only")
        assert code(await admin.http.post(f"{PATH}/1/{verb}")) == (422, "invalid_request")
    assert json.loads(behind.seen[-1].body) == {"cancelled_by": f"user:{admin.id}"}
    for bad in (
        split | {"ratio": {"new": 0, "old": 1}},
        split | {"ratio": {"new": 4}},
        split | {"ratio": {"new": 10_001, "old": 1}},
        split | {"amount": "-1"},
        split | {"amount": "NaN"},
        split | {"ex_date": "tomorrow"},
        split | {"kind": "spinoff"},
        split | {"symbol": ""},
        split | {"id": "1"},
        split | {"more": 1},
        body | {"id": None},
    ):
        assert code(await admin.http.post(PATH, json=bad)) == (422, "invalid_request"), bad
    assert code(await admin.http.get(PATH, params={"cursor": "x"})) == (422, "invalid_request")
    assert code(await admin.http.get(f"{PATH}/{uuid4()}")) == (404, "not_found")
    assert code(await trader.http.post(PATH, json=split)) == (403, "admins_only")
    assert code(await trader.http.get(PATH)) == (403, "admins_only")
