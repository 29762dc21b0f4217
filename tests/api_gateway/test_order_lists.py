"""Orders and ledger entries, page by page."""

from typing import Any
from uuid import uuid4

from tests.api_gateway.conftest import Person
from tests.api_gateway.tickets import LIMIT, MARKET, code


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
