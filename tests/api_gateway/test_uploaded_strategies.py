"""Who may do what with users' strategies; the strategy service does the rest."""

import base64
import json
from typing import Any

import pytest

from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.doubles import HttpDouble

_CONTENT = base64.b64encode(b"x = 1").decode()
_UPLOAD = {"file_name": "mine.py", "content": _CONTENT}


async def test_a_trader_uploads_and_sees_what_is_theirs(trader: Person, behind: HttpDouble) -> None:
    behind.answer("POST", "/internal/strategies", {"strategy": "mine", "version": 1}, 201)
    answer = await trader.http.post("/strategies", json=_UPLOAD)
    assert answer.status_code == 201
    assert json.loads(behind.seen[-1].body) == {"author_id": str(trader.id), **_UPLOAD}
    behind.answer("GET", "/internal/strategies/mine/versions", {"items": [], "next_cursor": None})
    assert (await trader.http.get("/strategies/mine/versions")).status_code == 200
    assert behind.seen[-1].query == {"author_id": str(trader.id)}
    behind.answer("DELETE", "/internal/strategies/mine/versions/1", {})
    assert (await trader.http.delete("/strategies/mine/versions/1")).status_code == 200
    assert behind.seen[-1].query == {"by": str(trader.id), "author_id": str(trader.id)}


async def test_uploads_in_a_row_have_to_wait_each_user_for_themselves(
    api: Api, trader: Person, behind: HttpDouble
) -> None:
    behind.answer("POST", "/internal/strategies", {"strategy": "mine", "version": 1}, 201)
    answers = [await trader.http.post("/strategies", json=_UPLOAD) for _ in range(7)]
    assert [one.status_code for one in answers] == [*[201] * 6, 429]
    assert (answers[-1].json()["code"], answers[-1].json()["limit"]) == ("too_many_uploads", "6")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert len(behind.seen) == 6
    other = await api.person("grace")
    assert (await other.http.post("/strategies", json=_UPLOAD)).status_code == 201


async def test_only_admins_decide_and_they_see_everybodys(
    api: Api, trader: Person, behind: HttpDouble
) -> None:
    admin = await api.admin()
    path = "/strategies/mine/versions/1/decision"
    refused = await trader.http.post(path, json={"decision": "approved"})
    assert (refused.status_code, refused.json()["code"]) == (403, "admins_only")
    assert behind.seen == []
    behind.answer("POST", f"/internal{path}", {})
    assert (await admin.http.post(path, json={"decision": "approved"})).status_code == 200
    assert json.loads(behind.seen[-1].body) == {
        "decision": "approved",
        "reason": None,
        "by": str(admin.id),
    }
    behind.answer("GET", "/internal/strategies/mine/versions", {"items": [], "next_cursor": None})
    await admin.http.get("/strategies/mine/versions")
    assert behind.seen[-1].query == {}
    refused = await admin.http.post("/strategies", json=_UPLOAD)
    assert (refused.status_code, refused.json()["code"]) == (403, "admins_can_not_trade")


@pytest.mark.parametrize(
    "change",
    [
        {"file_name": "../mine.py"},
        {"file_name": "mine.exe"},
        {"content": ""},
        {"content": "not base64!"},
        {"content": "A" * 720_001},
        {"content": None},
        {"author_id": "somebody"},
    ],
)
async def test_what_is_no_upload_goes_nowhere(
    change: dict[str, Any], trader: Person, behind: HttpDouble
) -> None:
    answer = await trader.http.post("/strategies", json={**_UPLOAD, **change})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert behind.seen == []
