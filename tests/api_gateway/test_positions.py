"""Positions that are closed and protected, from the HTTP edge to the stream and back."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from api_gateway.orders.examples import PROTECTIONS
from shared.models.orders import ClosePositions, ProtectPosition
from tests.api_gateway.conftest import Person
from tests.api_gateway.doubles import ProcessorDouble
from tests.api_gateway.tickets import code


async def test_a_position_is_closed_by_an_order_that_a_repetition_gives_again(
    trader: Person, account: dict[str, Any]
) -> None:
    positions = f"/accounts/{account['id']}/positions"
    answers = [
        await trader.http.post(f"{positions}/SPY/close", json={"client_order_id": "out"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    flat = await trader.http.post(f"{positions}/BTC/USDT/close", json={})
    assert code(flat) == (409, "position_not_open")
    rejected = await trader.http.post(f"{positions}/DEAR/close", json={})
    assert code(rejected) == (422, "buying_power")
    assert rejected.json()["order"]["status"] == "rejected"


async def test_closing_all_positions_tells_those_that_could_not_be_closed(
    trader: Person, account: dict[str, Any]
) -> None:
    path = f"/accounts/{account['id']}/positions/close"
    answer = await trader.http.post(path, json={"client_order_id": "flat"})
    assert answer.status_code == 200
    body = answer.json()
    assert [order["client_order_id"] for order in body["items"]] == ["flat.SPY"]
    assert body["not_closed"] == [{"symbol": "IBM", "code": "halted", "message": "No."}]
    assert body["client_order_id"] == "flat"


async def test_a_part_of_a_position_is_closed(
    trader: Person, account: dict[str, Any], processor: ProcessorDouble
) -> None:
    path = f"/accounts/{account['id']}/positions/SPY/close"
    assert (await trader.http.post(path, json={"qty": "2"})).json()["qty"] == "2"
    await trader.http.post(path, json={"percent": "33.3"})
    command = processor.commands[-1]
    assert isinstance(command, ClosePositions)
    assert (command.qty, command.percent) == (None, Decimal("33.3"))
    everything = f"/accounts/{account['id']}/positions/close"
    for url, body in (
        (path, {"qty": "2", "percent": "5"}),
        (path, {"qty": "-2"}),
        (path, {"percent": "0"}),
        (everything, {"percent": "50"}),
    ):
        assert code(await trader.http.post(url, json=body)) == (422, "invalid_request")


async def test_a_position_is_protected_and_let_go(
    trader: Person, account: dict[str, Any], processor: ProcessorDouble
) -> None:
    path = f"/accounts/{account['id']}/positions/SPY/protection"
    assert code(await trader.http.get(path)) == (404, "not_found")
    assert code(await trader.http.delete(path)) == (404, "not_found")
    for example in PROTECTIONS.values():
        answer = await trader.http.put(path, json=example["value"])
        assert answer.status_code == 200, answer.text
        protection = answer.json()
        assert {key for key in example["value"] if key != "client_order_id"} == {
            key for key in ("take_profit", "stop_loss") if protection[key]
        }
        assert (await trader.http.get(path)).json() == protection
        command = processor.commands[-1]
        assert isinstance(command, ProtectPosition)
        for order in (protection["take_profit"], protection["stop_loss"]):
            if order:
                await trader.http.delete(f"/accounts/{account['id']}/orders/{order['id']}")
    await trader.http.put(path, json=PROTECTIONS["trailing"]["value"] | {"client_order_id": "g2"})
    assert (await trader.http.delete(path)).status_code == 204
    assert code(await trader.http.get(path)) == (404, "not_found")
    nothing = f"/accounts/{account['id']}/positions/IBM/protection"
    answer = await trader.http.put(nothing, json=PROTECTIONS["percent"]["value"])
    assert code(answer) == (409, "position_not_open")
    for body in (
        {},
        {"take_profit": {}},
        {"take_profit": {"percent": "1", "limit_price": "5"}},
        {"stop_loss": {"percent": "-1"}},
        {"stop_loss": {"percent": "NaN"}},
        {"stop_loss": {"limit_price": "1"}},
    ):
        assert code(await trader.http.put(path, json=body)) == (422, "invalid_request")


async def test_the_position_of_another_is_not_protected(
    trader: Person, account: dict[str, Any]
) -> None:
    path = f"/accounts/{uuid4()}/positions/SPY/protection"
    answer = await trader.http.put(path, json=PROTECTIONS["percent"]["value"])
    assert code(answer) == (404, "not_found")
