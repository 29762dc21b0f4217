"""From the HTTP edge to the order processor's stream, and back."""

import asyncio
import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine

from api_gateway.orders.examples import PROTECTIONS, TICKETS
from api_gateway.values import plain
from cli.embedded.servers import Valkey, free_port
from shared.config import Settings
from shared.models.orders import ClosePositions, ProtectPosition, SubmitOrder
from shared.redis import make_redis
from tests.api_gateway.conftest import Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble

MARKET = {"symbol": "SPY", "side": "buy", "type": "market", "qty": "10"}
EXITS = {"take_profit": {"limit_price": "520"}, "stop_loss": {"stop_price": "490"}}
LIMIT = {**MARKET, "type": "limit", "limit_price": "501.25"}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def orders(account: dict[str, Any]) -> str:
    return f"/accounts/{account['id']}/orders"


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


# --- looking ---------------------------------------------------------------------------------


async def every(trader: Person, path: str, **query: str) -> list[dict[str, Any]]:
    """All items, page by page of two."""
    items: list[dict[str, Any]] = []
    cursor = None
    for _ in range(20):
        asked = {"limit": "2", **query} | ({"cursor": cursor} if cursor else {})
        page = (await trader.http.get(path, params=asked)).json()
        assert len(page["items"]) <= 2
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items
    raise AssertionError("paging does not end")


async def test_orders_are_listed_newest_first_without_repeats_or_holes(
    trader: Person, orders: str
) -> None:
    for n in range(5):
        await trader.http.post(orders, json={**MARKET, "client_order_id": f"n{n}"})
    newest = [order["client_order_id"] for order in await every(trader, orders)]
    assert newest == ["n4", "n3", "n2", "n1", "n0"]
    oldest = [order["client_order_id"] for order in await every(trader, orders, order="oldest")]
    assert oldest == newest[::-1]


async def test_orders_are_filtered_by_status_symbol_and_mode(trader: Person, orders: str) -> None:
    working = (await trader.http.post(orders, json=LIMIT)).json()
    done = (await trader.http.post(orders, json={**LIMIT, "symbol": "IBM"})).json()
    await trader.http.delete(f"{orders}/{done['id']}")
    await trader.http.post(orders, json={**MARKET, "symbol": "DEAR"})

    async def ids(**query: str) -> list[str]:
        return [order["id"] for order in await every(trader, orders, **query)]

    assert await ids(status="working") == [working["id"]]
    assert await ids(status="cancelled") == [done["id"]]
    assert await ids(symbol="IBM") == [done["id"]]
    assert len(await ids(status="rejected")) == 1
    assert await ids(mode="live") == []
    assert await ids(side="sell") == []
    assert await ids(side="buy", type="limit") == [done["id"], working["id"]]
    assert await ids(type="limit", status="working") == [working["id"]]
    assert await ids(group_id=str(uuid4())) == []
    assert await ids(start=done["submitted_at"], symbol="IBM") == [done["id"]]
    assert await ids(end=done["submitted_at"], symbol="IBM") == []
    assert await ids(start="2199-01-01T00:00:00Z") == []


async def test_a_filter_that_means_nothing_is_refused(trader: Person, orders: str) -> None:
    for query in [
        "status=open",
        "mode=demo",
        "limit=0",
        "limit=1001",
        "limit=x",
        "order=down",
        "symbol=%00",
        "side=long",
        "type=oco",
        "group_id=1",
        "start=yesterday",
        "start=2026-01-01",
        "end=2026-01-01T00:00:00",
        "end=9999-01-01T00:00:00Z",
    ]:
        assert code(await trader.http.get(f"{orders}?{query}")) == (422, "invalid_request")


async def test_the_ledger_starts_with_the_deposit(trader: Person, account: dict[str, Any]) -> None:
    entries = (await trader.http.get(f"/accounts/{account['id']}/ledger")).json()["items"]
    assert [(e["kind"], e["amount"], e["balance"]) for e in entries] == [
        ("deposit", "100000", "100000")
    ]
    books = f"/accounts/{account['id']}"
    assert await every(trader, f"{books}/ledger", kind="deposit", start=entries[0]["at"]) == entries
    assert await every(trader, f"{books}/ledger", kind="fee") == []
    assert await every(trader, f"{books}/ledger", end=entries[0]["at"]) == []
    assert await every(trader, f"{books}/executions", symbol="SPY", side="buy") == []
    assert code(await trader.http.get(f"{books}/ledger?kind=gift")) == (422, "invalid_request")


# --- hostile bodies --------------------------------------------------------------------------


async def test_a_hostile_body_is_the_callers_fault(trader: Person, orders: str) -> None:
    for body in [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"qty": NaN}',
        b'{"qty": Infinity}',
        b'{"qty": -Infinity}',
        b'{"qty": ' + b"9" * 5000 + b"}",
        b'{"symbol": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"symbol": "\xff\xfe"}',
        b'{"a":' * 50_000,
        b"[" * 100_000,
        json.dumps({**MARKET, "client_order_id": "\x00"}).encode(),
        json.dumps([MARKET]).encode(),
    ]:
        answer = await trader.http.post(
            orders, content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_another_content_type_is_refused(trader: Person, orders: str) -> None:
    for kind in [
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "application/json; x=\xff",
        "",
    ]:
        answer = await trader.http.post(
            orders, content=b"<order/>", headers={"Content-Type": kind.encode("latin-1")}
        )
        assert answer.status_code in (400, 415, 422)


async def test_a_path_with_anything_in_it_never_breaks_the_gateway(trader: Person) -> None:
    for part in ("%00", "%ff", "%ed%a0%80", "..%2f..", "a" * 3000, "{}", "%0d%0aX: y", "'--"):
        for path in (f"/accounts/{part}", f"/instruments/{part}", f"/candles/{part}", f"/{part}"):
            answer = await trader.http.get(path)
            assert answer.status_code in (404, 422), (path, answer.status_code)


async def test_orders_survive_the_loss_of_redis_connections(
    trader: Person, orders: str, redis: Redis
) -> None:
    await redis.client_kill_filter(_type="pubsub")
    ticket = {**MARKET, "client_order_id": "again"}
    async with asyncio.timeout(30):
        while (answer := await trader.http.post(orders, json=ticket)).status_code == 503:
            assert answer.json()["code"] == "outcome_unknown"
    assert answer.status_code in (200, 201)
    assert UUID(answer.json()["id"])


async def test_orders_are_refused_while_redis_is_away_and_go_on_when_it_is_back(
    settings: Settings, behind: HttpDouble, engine: Engine, tmp_path: Path
) -> None:
    assert settings.redis_password is not None
    valkey = Valkey(tmp_path / "valkey", free_port(), settings.redis_password.get_secret_value())
    valkey.start()
    own = make_settings(settings, behind.url, redis_port=valkey.port, order_answer_timeout_s=0.5)
    redis = make_redis(own)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(valkey.stop)
        stack.push_async_callback(redis.aclose)
        api = await stack.enter_async_context(running(own))
        trader = await api.person("ada")
        async with ProcessorDouble(redis, engine, own.order_shards).running():
            account = (await trader.http.post("/accounts", json={"name": "Main"})).json()
        orders = f"/accounts/{account['id']}/orders"
        ticket = {**MARKET, "client_order_id": "through"}
        valkey.stop()
        assert code(await trader.http.post(orders, json=ticket)) == (503, "outcome_unknown")
        assert (await trader.http.get(orders)).json()["items"] == []
        ready = await api.http.get("http://gateway/health/ready")
        assert ready.status_code == 503
        valkey.start()
        async with ProcessorDouble(redis, engine, own.order_shards).running():
            async with asyncio.timeout(40):
                while (answer := await trader.http.post(orders, json=ticket)).status_code == 503:
                    pass
        assert answer.status_code in (200, 201)
