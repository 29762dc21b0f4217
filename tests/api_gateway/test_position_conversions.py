from typing import Any
from uuid import uuid4

from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.test_accounts import code


async def test_a_part_of_a_position_goes_to_a_strategy_once(
    api: Api, trader: Person, account: dict[str, Any]
) -> None:
    path, strategy = f"/accounts/{account['id']}/positions/SPY/conversions", str(uuid4())
    asked = {"qty": "10.50", "to_deployment_id": strategy, "client_conversion_id": "c1"}
    made = await trader.http.post(path, json=asked)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["qty"], told["cost"], told["symbol"]) == ("10.5", "52.5", "SPY")
    assert (told["from_deployment_id"], told["to_deployment_id"]) == (None, strategy)
    again = await trader.http.post(path, json=asked)
    assert (again.status_code, again.json()) == (200, told)
    assert (await trader.http.get(path)).json()["items"] == [told]
    assert (await trader.http.get(path, params={"mode": "live"})).json()["items"] == []
    for change, expected in (
        ({"qty": "101"}, (422, "qty_exceeds_position")),
        ({"to_deployment_id": None}, (422, "same_owner")),
        ({"from_deployment_id": str(uuid4())}, (409, "deployment_running")),
        ({"qty": "0"}, (422, "invalid_request")),
        ({"qty": "-1"}, (422, "invalid_request")),
        ({"qty": "NaN"}, (422, "invalid_request")),
        ({"qty": None}, (422, "invalid_request")),
        ({"to_deployment_id": "mine"}, (422, "invalid_request")),
        ({"client_conversion_id": "a b"}, (422, "invalid_request")),
        ({"more": 1}, (422, "invalid_request")),
    ):
        refused = await trader.http.post(path, json=asked | {"client_conversion_id": "c2"} | change)
        assert code(refused) == expected, change
    assert code(await trader.http.get(path, params={"cursor": "x"})) == (422, "invalid_cursor")
    admin, other = await api.admin(), await api.person("other")
    assert code(await admin.http.post(path, json=asked)) == (403, "admins_can_not_trade")
    assert code(await other.http.post(path, json=asked)) == (404, "not_found")
    assert code(await other.http.get(path)) == (404, "not_found")
