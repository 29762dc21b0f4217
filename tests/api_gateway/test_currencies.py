"""Several currencies over HTTP: rates, conversions, and what an account is worth."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.tables import ForeignCashRow, InstrumentRow, PositionRow
from shared.models.cash import ConvertCash, MoveCash
from shared.redis.keys import LAST_PRICES
from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.doubles import ProcessorDouble
from tests.api_gateway.test_accounts import code


async def test_admins_set_rates_and_everybody_sees_them_the_last_first(
    api: Api, trader: Person
) -> None:
    admin = await api.admin()
    first = await admin.http.put("/fx-rates/EUR/USD", json={"rate": "1.0865"})
    assert first.status_code == 200
    told = first.json()
    assert (told["currency"], told["quote_currency"], told["rate"]) == ("EUR", "USD", "1.0865")
    assert told["set_by"] == str(admin.id)
    old = {"rate": "1.05", "at": "2018-11-01T00:00:00+01:00"}
    second = await admin.http.put("/fx-rates/EUR/USD", json=old)
    assert second.json()["at"] == "2018-10-31T23:00:00Z"
    await admin.http.put("/fx-rates/USD/JPY", json={"rate": "151.2"})
    listed = (await trader.http.get("/fx-rates?currency=EUR&quote_currency=USD")).json()
    assert [item["rate"] for item in listed["items"]] == ["1.05", "1.0865"]
    page = (await trader.http.get("/fx-rates?limit=1")).json()
    assert [item["currency"] for item in page["items"]] == ["USD"]
    rest = (await trader.http.get(f"/fx-rates?cursor={page['next_cursor']}")).json()
    assert [item["rate"] for item in rest["items"]] == ["1.05", "1.0865"]
    assert rest["next_cursor"] is None


async def test_rates_that_make_no_sense_and_those_of_others_change_nothing(
    api: Api, trader: Person
) -> None:
    admin = await api.admin()
    assert code(await trader.http.put("/fx-rates/EUR/USD", json={"rate": "1"}))[0] == 403
    for path, body, expected in (
        ("EUR/EUR", {"rate": "1"}, "invalid_pair"),
        ("EUR/USD", {"rate": "1", "at": "2199-01-01T00:00:00Z"}, "rate_of_future"),
        ("eur/USD", {"rate": "1"}, "invalid_request"),
        ("EUR/USD", {}, "invalid_request"),
        *(
            ("EUR/USD", {"rate": rate}, "invalid_request")
            for rate in (0, "-1", "NaN", "1e400", "1e-11", "1000000001", None, [])
        ),
        ("EUR/USD", {"rate": "1", "at": "yesterday"}, "invalid_request"),
    ):
        assert code(await admin.http.put(f"/fx-rates/{path}", json=body)) == (422, expected), body
    assert (await admin.http.get("/fx-rates")).json()["items"] == []


async def test_cash_is_converted_once_for_its_name(
    trader: Person, account: dict[str, Any], processor: ProcessorDouble
) -> None:
    path = f"/accounts/{account['id']}/cash/conversions"
    body = {"from_currency": "USD", "to_currency": "EUR", "amount": "100", "client_entry_id": "a"}
    first = await trader.http.post(path, json=body)
    again = await trader.http.post(path, json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    sold, bought = first.json()["sold"], first.json()["bought"]
    assert (sold["amount"], sold["currency"], sold["rate"]) == ("-100", "USD", "2")
    assert (bought["amount"], bought["currency"], bought["balance"]) == ("50", "EUR", "50")
    refused = await trader.http.post(path, json=body | {"to_currency": "GBP", "client_entry_id": 0})
    assert code(refused) == (422, "invalid_request")
    del body["client_entry_id"]
    refused = await trader.http.post(path, json=body | {"to_currency": "GBP"})
    assert code(refused) == (422, "fx_rate_missing")
    sent = len(processor.commands)
    for wrong in ({"amount": "0"}, {"amount": "0.001"}, {"from_currency": "usd"}, {"mode": "x"}):
        assert code(await trader.http.post(path, json=body | wrong)) == (422, "invalid_request")
    assert len(processor.commands) == sent
    assert {type(each) for each in processor.commands[-3:]} == {ConvertCash}


async def test_nobody_else_converts(
    api: Api, account: dict[str, Any], processor: ProcessorDouble
) -> None:
    admin, other = await api.admin(), await api.person("other")
    path = f"/accounts/{account['id']}/cash/conversions"
    body = {"from_currency": "USD", "to_currency": "EUR", "amount": "100"}
    assert (await other.http.post(path, json=body)).status_code == 404
    assert (await admin.http.post(path, json=body)).status_code == 403
    assert not any(isinstance(each, ConvertCash) for each in processor.commands)


async def test_deposits_name_their_currency(
    trader: Person, account: dict[str, Any], processor: ProcessorDouble
) -> None:
    path = f"/accounts/{account['id']}/cash/deposits"
    for currency in ("EUR", None):
        await trader.http.post(path, json={"amount": "5", "currency": currency})
    moves = [each for each in processor.commands if isinstance(each, MoveCash)]
    assert [each.currency for each in moves] == ["EUR", "USD"]
    wrong = await trader.http.post(path, json={"amount": "5", "currency": "euro"})
    assert code(wrong) == (422, "invalid_request")


@pytest.mark.parametrize("price", [None, Decimal("55")])
async def test_a_portfolio_counts_other_currencies_at_their_rates(
    trader: Person, account: dict[str, Any], engine: Engine, redis: Redis, price: Decimal | None
) -> None:
    account_id = UUID(account["id"])
    books = {"account_id": account_id, "mode": "paper"}
    with Session(engine) as db, db.begin():
        db.add(
            InstrumentRow(
                symbol="SAP",
                name="SAP",
                exchange="XETR",
                currency="EUR",
                tick_size=Decimal("0.01"),
                lot_size=Decimal(1),
            )
        )
        db.add(ForeignCashRow(currency="EUR", balance=Decimal(40), rate=Decimal("1.1"), **books))
        db.add(
            PositionRow(
                symbol="SAP",
                qty=Decimal(10),
                cost=Decimal(500),
                avg_price=Decimal(50),
                realized_pnl=Decimal(7),
                fees=Decimal(1),
                updated_at=datetime.now(UTC),
                **books,
            )
        )
    if price is not None:
        await redis.hset(LAST_PRICES, mapping={"SAP": str(price)})  # type: ignore[misc]
    told = (await trader.http.get(f"/accounts/{account['id']}/portfolio")).json()
    [cash] = told["foreign_cash"]
    assert cash == {"currency": "EUR", "cash": "40", "rate": "1.1", "value": "44"}
    [position] = told["positions"]
    worth, gain = ("500", "0") if price is None else ("550", "50")
    assert (position["currency"], position["market_value"]) == ("EUR", worth)
    assert position["unrealized_pnl"] == gain
    assert told["cash"] == "100000"
    assert told["equity"] == ("100594" if price is None else "100649")
    assert told["unrealized_pnl"] == ("0" if price is None else "55")
    # No execution has told what these came to in dollars.
    assert (told["realized_pnl"], told["fees"]) == ("0", "0")
