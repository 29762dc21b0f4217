"""Orders from the HTTP edge to the order processor's stream, and back."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine

from api_gateway.orders.examples import TICKETS
from api_gateway.values import plain
from shared.config import Settings
from shared.models.orders import SubmitOrder
from tests.api_gateway.conftest import Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble
from tests.api_gateway.tickets import EXITS, LIMIT, MARKET, code

# --- submitting ------------------------------------------------------------------------------


async def test_a_submitted_order_is_answered_after_it_is_stored(
    trader: Person, orders: str, processor: ProcessorDouble
) -> None:
    answer = await trader.http.post(
        orders,
        json={**LIMIT, "client_order_id": "mine-1", "time_in_force": "day"},
        headers={"X-Request-ID": "trace-me-0001"},
    )
    assert answer.status_code == 201
    order = answer.json()
    assert (order["qty"], order["limit_price"], order["status"]) == ("10", "501.25", "accepted")
    assert (await trader.http.get(f"{orders}/{order['id']}")).json() == order
    command = processor.commands[-1]
    assert isinstance(command, SubmitOrder)
    assert command.submitted_by == f"user:{trader.id}"
    assert (command.client_order_id, command.time_in_force) == ("mine-1", "day")
    assert command.request_id.startswith("trace-me-0001")


async def test_every_kind_of_order_reaches_the_processor_as_it_was_written(
    trader: Person, orders: str, processor: ProcessorDouble
) -> None:
    for name, example in TICKETS.items():
        ticket = {**example["value"], "client_order_id": name}
        if ticket.get("order_class"):
            continue
        answer = await trader.http.post(orders, json=ticket)
        assert answer.status_code == 201, answer.text
        told = {
            key: plain(Decimal(value))
            if key.endswith(("price", "qty", "percent", "notional"))
            else value
            for key, value in ticket.items()
        }
        assert {key: answer.json()[key] for key in told} == told
        command = processor.commands[-1]
        assert isinstance(command, SubmitOrder)
        assert command.order_type == ticket["type"]


@pytest.mark.parametrize("name", ["bracket", "oco"])
async def test_an_order_is_answered_with_its_legs(
    trader: Person, orders: str, processor: ProcessorDouble, name: str
) -> None:
    ticket = TICKETS[name]["value"] | {"client_order_id": name}
    answer = await trader.http.post(orders, json=ticket)
    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert order["order_class"] == name
    assert {leg["group_role"] for leg in order["legs"]} == (
        {"take_profit", "stop_loss"} if name == "bracket" else {"stop_loss"}
    )
    assert {leg["group_id"] for leg in order["legs"]} == {order["group_id"]} == {order["id"]}
    assert (await trader.http.get(f"{orders}/{order['id']}")).json() == order
    assert (await trader.http.post(orders, json=ticket)).json() == order
    leg = order["legs"][0]
    assert (await trader.http.get(f"{orders}/{leg['id']}")).json() == leg
    listed = (await trader.http.get(orders, params={"status": "working"})).json()["items"]
    assert {leg["id"] for leg in order["legs"]} <= {each["id"] for each in listed}
    command = processor.commands[-1]
    assert isinstance(command, SubmitOrder)
    assert command.take_profit is not None
    assert command.take_profit.limit_price == Decimal(520)


async def test_a_repeated_client_order_id_gets_the_first_order(trader: Person, orders: str) -> None:
    ticket = {**MARKET, "client_order_id": "once"}
    first = await trader.http.post(orders, json=ticket)
    again = await trader.http.post(orders, json=ticket)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = await trader.http.post(orders, json={**ticket, "qty": "11"})
    assert code(other) == (409, "client_order_id_conflict")


async def test_an_order_without_a_client_order_id_gets_one_of_its_own(
    trader: Person, orders: str
) -> None:
    made = [(await trader.http.post(orders, json=MARKET)).json() for _ in range(2)]
    assert made[0]["id"] != made[1]["id"]
    assert all(order["client_order_id"] for order in made)


async def test_a_rejected_order_is_told_with_its_reason_and_stays_visible(
    trader: Person, orders: str
) -> None:
    ticket = {**MARKET, "symbol": "DEAR", "client_order_id": "dear"}
    for _ in range(2):
        answer = await trader.http.post(orders, json=ticket)
        assert code(answer) == (422, "buying_power")
        order = answer.json()["order"]
        assert order["status"] == "rejected"
    assert (await trader.http.get(f"{orders}/{order['id']}")).json() == order


async def test_a_refused_order_is_not_stored(trader: Person, orders: str) -> None:
    answer = await trader.http.post(orders, json={**MARKET, "symbol": "NOPE"})
    assert code(answer) == (422, "unknown_symbol")
    assert "order" not in answer.json()
    assert (await trader.http.get(orders)).json()["items"] == []


async def test_live_is_refused_without_a_broker(trader: Person, orders: str) -> None:
    answer = await trader.http.post(orders, json={**MARKET, "mode": "live"})
    assert code(answer) == (422, "mode_not_available")


async def test_an_order_that_makes_no_sense_goes_no_further(
    trader: Person, orders: str, processor: ProcessorDouble
) -> None:
    for changes in [
        {"qty": "0"},
        {"qty": "-1"},
        {"qty": "1e3"},
        {"qty": "NaN"},
        {"qty": "Infinity"},
        {"qty": "0.0000000000001"},
        {"qty": "1" * 30},
        {"qty": 10**16},
        {"qty": 1e300},
        {"qty": True},
        {"qty": None},
        {"qty": "١"},
        {"qty": " 1"},
        {"qty": "1\x00"},
        {"limit_price": "5"},
        {"type": "limit"},
        {"type": "limit", "limit_price": "0"},
        {"type": "stop"},
        {"side": "BUY"},
        {"type": "stop_limit", "stop_price": "5"},
        {"type": "stop", "stop_price": "5", "limit_price": "5"},
        {"stop_price": "5"},
        {"type": "trailing_stop"},
        {"type": "trailing_stop", "trail_price": "1", "trail_percent": "1"},
        {"type": "trailing_stop", "trail_price": "-1"},
        {"trail_percent": "1"},
        {"time_in_force": "ooo"},
        {"extended_hours": "perhaps"},
        {"extended_hours": 1},
        {"time_in_force": "gtd"},
        {"time_in_force": "gtd", "expires_at": "2030-01-01T00:00:00"},
        {"time_in_force": "gtd", "expires_at": "9999-12-31T00:00:00Z"},
        {"expires_at": "2030-01-01T00:00:00Z"},
        {"symbol": ""},
        {"symbol": "S" * 33},
        {"symbol": "SP\x00Y"},
        {"symbol": "../SPY"},
        {"client_order_id": ""},
        {"client_order_id": "x" * 65},
        {"client_order_id": "a b"},
        {"client_order_id": "a\x00"},
        {"notional": "5"},
        {"qty": None, "notional": "0"},
        {"qty": None, "notional": "NaN"},
        {"qty": None, "notional": "5", "type": "limit", "limit_price": "5"},
        {"qty": None, "notional": "5", "order_class": "bracket", **EXITS},
        {"order_class": "bracket"},
        {"order_class": "oto"},
        {"order_class": "mleg"},
        {"take_profit": {"limit_price": "5"}},
        {"order_class": "oto", "stop_loss": {}},
        {"order_class": "oto", "stop_loss": {"stop_price": "5", "trail_percent": "1"}},
        {"order_class": "oto", "stop_loss": {"trail_price": "1", "limit_price": "5"}},
        {"order_class": "oto", "take_profit": {"limit_price": "-5"}},
        {"order_class": "oto", "take_profit": {"price": "5"}},
        {"order_class": "oto", **EXITS},
        {"order_class": "oco", **EXITS},
        {"order_class": "oco", "type": "limit", "limit_price": "5", **EXITS},
        {"mode": "demo"},
        {"quantity": "1"},
    ]:
        commands = len(processor.commands)
        assert code(await trader.http.post(orders, json={**MARKET, **changes})) == (
            422,
            "invalid_request",
        )
        assert len(processor.commands) == commands


async def test_quantities_mean_what_they_say(
    trader: Person, orders: str, processor: ProcessorDouble
) -> None:
    quantities: list[tuple[object, str]] = [
        ("10", "10"),
        ("10.50", "10.5"),
        (10, "10"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        ("0.000000000001", "0.000000000001"),
    ]
    for qty, meant in quantities:
        answer = await trader.http.post(orders, json={**MARKET, "qty": qty})
        assert answer.json()["qty"] == meant
        command = processor.commands[-1]
        assert isinstance(command, SubmitOrder)
        assert command.qty == Decimal(meant)


async def test_no_answer_in_time_is_an_unknown_outcome_that_a_repetition_settles(
    settings: Settings, behind: HttpDouble, redis: Redis, engine: Engine
) -> None:
    processor = ProcessorDouble(redis, engine, settings.order_shards)
    hasty = make_settings(settings, behind.url, order_answer_timeout_s=0.3)
    async with processor.running(), running(hasty) as api:
        trader = await api.person("ada")
        account = (await trader.http.post("/accounts", json={"name": "Main"})).json()
        orders = f"/accounts/{account['id']}/orders"
        processor.answers.clear()
        answer = await trader.http.post(orders, json=MARKET)
        assert code(answer) == (503, "outcome_unknown")
        assert "same client_order_id" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "1"
        named = {**MARKET, "client_order_id": answer.json()["client_order_id"]}
        processor.answers.set()
        async with asyncio.timeout(40):
            while (settled := await trader.http.post(orders, json=named)).status_code == 503:
                pass
        assert settled.status_code == 200
        assert len((await trader.http.get(orders)).json()["items"]) == 1


# --- cancelling ------------------------------------------------------------------------------


async def test_a_working_order_is_cancelled_once(trader: Person, orders: str) -> None:
    order = (await trader.http.post(orders, json=LIMIT)).json()
    cancelled = await trader.http.delete(f"{orders}/{order['id']}")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await trader.http.delete(f"{orders}/{order['id']}")
    assert code(again) == (409, "order_not_working")


async def test_an_order_of_another_account_of_mine_is_not_found_here(
    trader: Person, orders: str, processor: ProcessorDouble
) -> None:
    order = (await trader.http.post(orders, json=LIMIT)).json()
    other = (await trader.http.post("/accounts", json={"name": "Other"})).json()
    commands = len(processor.commands)
    for method in ("GET", "DELETE"):
        path = f"/accounts/{other['id']}/orders/{order['id']}"
        assert code(await trader.http.request(method, path)) == (404, "not_found")
    assert len(processor.commands) == commands


async def test_an_unknown_order_is_not_found(trader: Person, orders: str) -> None:
    assert code(await trader.http.delete(f"{orders}/{uuid4()}")) == (404, "not_found")
    assert code(await trader.http.delete(f"{orders}/x")) == (422, "invalid_request")


async def test_all_working_orders_are_cancelled_or_those_of_one_symbol(
    trader: Person, orders: str
) -> None:
    spy = (await trader.http.post(orders, json=LIMIT)).json()
    ibm = (await trader.http.post(orders, json={**LIMIT, "symbol": "IBM"})).json()
    for query, expected in (("?symbol=SPY", [spy["id"]]), ("", [ibm["id"]]), ("", [])):
        answer = await trader.http.delete(f"{orders}{query}")
        assert [order["id"] for order in answer.json()["items"]] == expected
        assert answer.status_code == 200


# --- replacing, closing ----------------------------------------------------------------------


async def test_an_order_is_replaced_once_and_knows_its_successor(
    trader: Person, orders: str
) -> None:
    old = (await trader.http.post(orders, json=LIMIT)).json()
    change = {"limit_price": "502", "client_order_id": "moved"}
    answers = [await trader.http.patch(f"{orders}/{old['id']}", json=change) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    new = answers[0].json()
    assert (new["limit_price"], new["replaces"]) == ("502", old["id"])
    before = (await trader.http.get(f"{orders}/{old['id']}")).json()
    assert (before["status"], before["replaced_by"]) == ("replaced", new["id"])
    late = await trader.http.patch(f"{orders}/{old['id']}", json={"qty": "3"})
    assert code(late) == (409, "order_not_working")


async def test_a_replacement_that_makes_no_sense_goes_no_further(
    trader: Person, orders: str, processor: ProcessorDouble
) -> None:
    order = (await trader.http.post(orders, json=LIMIT)).json()
    commands = len(processor.commands)
    for body in ({}, {"client_order_id": "x"}, {"qty": "0"}, {"limit_price": "x"}, {"side": "buy"}):
        answer = await trader.http.patch(f"{orders}/{order['id']}", json=body)
        assert code(answer) == (422, "invalid_request")
    assert code(await trader.http.patch(f"{orders}/{uuid4()}", json={"qty": "1"})) == (
        404,
        "not_found",
    )
    assert len(processor.commands) == commands
