"""What users are told of: everybody his own, page by page, until it is read."""

from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import NotificationRow
from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.tickets import code

URL = "/notifications"


def tell(engine: Engine, user_id: UUID, text: str) -> int:
    with Session(engine) as db, db.begin():
        row = NotificationRow(
            user_id=user_id,
            severity="warning",
            code="strategy_failed",
            text=text,
            context={"traceback": "..."},
        )
        db.add(row)
        db.flush()
        return row.id


async def test_they_come_newest_first_and_are_read_one_by_one_or_up_to_one(
    trader: Person, engine: Engine
) -> None:
    ids = [tell(engine, trader.id, f"number {number}") for number in range(4)]
    first = (await trader.http.get(URL, params={"limit": 3})).json()
    rest = await trader.http.get(URL, params={"cursor": first["next_cursor"]})
    told = [*first["items"], *rest.json()["items"]]
    assert [each["id"] for each in told] == ids[::-1]
    assert told[0]["context"] == {"traceback": "..."}
    assert {each["read_at"] for each in told} == {None}
    read = (await trader.http.post(f"{URL}/{ids[3]}/read")).json()
    assert read["read_at"] is not None
    assert (await trader.http.post(f"{URL}/{ids[3]}/read")).json() == read
    assert (await trader.http.post(f"{URL}/read", json={"up_to": ids[1]})).json() == {"read": 2}
    unread = (await trader.http.get(URL, params={"unread": True})).json()
    assert [each["id"] for each in unread["items"]] == [ids[2]]


async def test_nobody_sees_or_reads_what_others_were_told(
    api: Api, trader: Person, engine: Engine
) -> None:
    told = tell(engine, trader.id, "mine")
    for other in (await api.person("eve"), await api.admin()):
        assert (await other.http.get(URL)).json()["items"] == []
        assert code(await other.http.post(f"{URL}/{told}/read")) == (404, "not_found")
        assert (await other.http.post(f"{URL}/read", json={"up_to": told})).json() == {"read": 0}
    [mine] = (await trader.http.get(URL)).json()["items"]
    assert mine["read_at"] is None
    assert code(await api.http.get(URL)) == (401, "unauthenticated")


@pytest.mark.parametrize("which", ["0", "-1", str(2**63), "x", "1.5"])
async def test_what_names_no_notification_is_refused(trader: Person, which: str) -> None:
    assert code(await trader.http.post(f"{URL}/{which}/read")) == (422, "invalid_request")
    answer = await trader.http.post(f"{URL}/read", json={"up_to": which})
    assert code(answer) == (422, "invalid_request")
