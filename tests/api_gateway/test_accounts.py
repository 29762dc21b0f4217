"""Opening accounts, seeing them, and what they are worth."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
from redis.asyncio import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api_gateway.settings import GatewaySettings
from shared.config import Settings
from shared.database.tables import LedgerEntryRow, MarkRow, PositionRow
from shared.redis.keys import LAST_PRICES, shard_of
from tests.api_gateway.conftest import Api, Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- opening ---------------------------------------------------------------------------------


async def test_an_account_is_open_when_its_books_are(
    trader: Person, processor: ProcessorDouble, engine: Engine
) -> None:
    answer = await trader.http.post(
        "/accounts",
        json={
            "name": " Swing ",
            "base_currency": "EUR",
            "paper_capital": "25000.50",
            "paper_fee_bps": 2.5,
            "paper_slippage_bps": 0,
        },
    )
    assert answer.status_code == 201
    account = answer.json()
    assert account["name"] == "Swing"
    assert account["owner_id"] == str(trader.id)
    assert account["paper_capital"] == "25000.5"
    assert account["paper_terms"] == {
        "commission": {"model": "percent", "bps": "2.5"},
        "slippage": {"model": "bps", "bps": "0"},
        "participation_percent": "0",
        "extended_hours": True,
        "queue": "last",
        "latency_ms": 0,
        "latency_jitter_ms": 0,
    }
    with Session(engine) as db:
        assert db.get_one(LedgerEntryRow, (UUID(account["id"]), "paper", 1)).balance == Decimal(
            "25000.5"
        )


async def test_an_accounts_name_is_unique_for_its_owner_alone(
    api: Api, trader: Person, account: dict[str, Any]
) -> None:
    again = await trader.http.post("/accounts", json={"name": account["name"]})
    assert code(again) == (409, "account_name_taken")
    other = await api.person("bob")
    assert (await other.http.post("/accounts", json={"name": account["name"]})).status_code == 201


async def test_with_the_processor_away_the_same_request_again_completes_the_opening(
    settings: Settings, behind: HttpDouble, redis: Redis, engine: Engine
) -> None:
    hasty = make_settings(settings, behind.url, order_answer_timeout_s=0.1)
    async with running(hasty) as api:
        trader = await api.person("ada")
        first = await trader.http.post("/accounts", json={"name": "Main"})
        assert code(first) == (503, "books_not_open")
        accounts = (await trader.http.get("/accounts")).json()["items"]
        assert [account["id"] for account in accounts] == [first.json()["account_id"]]
        other = await trader.http.post("/accounts", json={"name": "Main", "paper_capital": "5"})
        assert code(other) == (409, "account_name_taken")
    async with (
        ProcessorDouble(redis, engine, settings.order_shards).running(),
        running(make_settings(settings, behind.url)) as api,
    ):
        trader = await api.sign_in("ada")
        second = await trader.http.post("/accounts", json={"name": "Main"})
        assert second.status_code == 201
        assert second.json()["id"] == accounts[0]["id"]
        third = await trader.http.post("/accounts", json={"name": "Main"})
        assert code(third) == (409, "account_name_taken")


async def test_a_portfolio_request_opens_books_that_are_missing(
    settings: Settings, behind: HttpDouble, redis: Redis, engine: Engine
) -> None:
    async with running(make_settings(settings, behind.url, order_answer_timeout_s=0.1)) as api:
        trader = await api.person("ada")
        opened = await trader.http.post("/accounts", json={"name": "Main"})
        path = f"/accounts/{opened.json()['account_id']}/portfolio"
        assert code(await trader.http.get(path)) == (503, "books_not_open")
    async with (
        ProcessorDouble(redis, engine, settings.order_shards).running(),
        running(make_settings(settings, behind.url)) as api,
    ):
        trader = await api.sign_in("ada")
        assert (await trader.http.get(path)).json()["cash"] == "100000"


async def test_an_account_that_makes_no_sense_is_refused(trader: Person) -> None:
    for wrong in [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 65},
        {"name": "a\x00b"},
        {"name": 7},
        {},
        {"name": "a", "base_currency": "usd"},
        {"name": "a", "paper_capital": "0"},
        {"name": "a", "paper_capital": "-1"},
        {"name": "a", "paper_capital": "1.001"},
        {"name": "a", "paper_capital": "1e400"},
        {"name": "a", "paper_capital": 10**13},
        {"name": "a", "paper_capital": True},
        {"name": "a", "paper_fee_bps": "1001"},
        {"name": "a", "paper_slippage_bps": "-0.1"},
        {"name": "a", "owner_id": str(uuid4())},
    ]:
        assert code(await trader.http.post("/accounts", json=wrong)) == (422, "invalid_request")
        assert (await trader.http.get("/accounts")).json()["items"] == []


# --- who sees what ---------------------------------------------------------------------------


async def test_admins_and_investors_open_no_accounts(api: Api) -> None:
    admin, investor = await api.admin(), await api.person("ivy", "investor")
    refused = await admin.http.post("/accounts", json={"name": "Main"})
    assert code(refused) == (403, "admins_can_not_trade")
    refused = await investor.http.post("/accounts", json={"name": "Main"})
    assert code(refused) == (403, "investors_can_not_trade")


ACCOUNT_PATHS = [
    ("GET", ""),
    ("GET", "/portfolio"),
    ("GET", "/orders"),
    ("POST", "/orders"),
    ("GET", f"/orders/{uuid4()}"),
    ("DELETE", f"/orders/{uuid4()}"),
    ("GET", "/executions"),
    ("GET", "/positions"),
    ("GET", "/ledger"),
    ("GET", "/performance"),
    ("GET", "/deployments"),
    ("POST", "/deployments"),
    ("GET", f"/deployments/{uuid4()}"),
    ("POST", f"/deployments/{uuid4()}/stop"),
    ("GET", f"/deployments/{uuid4()}/signals"),
    ("POST", f"/deployments/{uuid4()}/pause"),
    ("POST", f"/deployments/{uuid4()}/resume"),
    ("GET", f"/deployments/{uuid4()}/parameters"),
    ("GET", f"/deployments/{uuid4()}/logs"),
    ("GET", f"/deployments/{uuid4()}/plots"),
    ("GET", f"/deployments/{uuid4()}/variables"),
]
BODIES = {
    "/orders": {"symbol": "SPY", "side": "buy", "type": "market", "qty": "1"},
    "/deployments": {"strategy": "sma_crossover", "symbols": ["SPY"]},
}


async def test_someone_elses_account_looks_like_none_at_all(
    api: Api, account: dict[str, Any], behind: HttpDouble, processor: ProcessorDouble
) -> None:
    commands = len(processor.commands)
    strangers = [await api.person("bob"), await api.person("ivy", "investor")]
    for stranger in strangers:
        for method, path in ACCOUNT_PATHS:
            body = BODIES.get(path) if method == "POST" else None
            theirs = await stranger.http.request(
                method, f"/accounts/{account['id']}{path}", json=body
            )
            nobodys = await stranger.http.request(method, f"/accounts/{uuid4()}{path}", json=body)
            assert code(theirs) == code(nobodys) == (404, "not_found"), (method, path)
            assert theirs.json()["detail"] == nobodys.json()["detail"]
        assert (await stranger.http.get("/accounts")).json()["items"] == []
    assert behind.seen == []
    assert len(processor.commands) == commands


async def test_admins_see_every_account_and_trade_in_none(
    api: Api, account: dict[str, Any]
) -> None:
    admin = await api.admin()
    assert [a["id"] for a in (await admin.http.get("/accounts")).json()["items"]] == [account["id"]]
    assert (await admin.http.get(f"/accounts/{account['id']}/portfolio")).status_code == 200
    for method, path in ACCOUNT_PATHS:
        if method == "GET":
            continue
        for account_id in (account["id"], uuid4()):
            answer = await admin.http.request(
                method, f"/accounts/{account_id}{path}", json=BODIES.get(path)
            )
            assert code(answer) == (403, "admins_can_not_trade"), (method, path)


async def test_accounts_are_listed_page_by_page(trader: Person, processor: ProcessorDouble) -> None:
    names = [f"Account {n}" for n in range(5)]
    for name in names:
        await trader.http.post("/accounts", json={"name": name})
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await trader.http.get("/accounts", params=query)).json()
        seen += [account["name"] for account in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (names, None)


async def test_an_invented_cursor_is_refused(trader: Person, account: dict[str, Any]) -> None:
    paths = ["/accounts", *(f"/accounts/{account['id']}/{of}" for of in ("orders", "ledger"))]
    for cursor in ("x", "", "ü", "AA", "9" * 400, "MjAyNi0wMS0wMQ", "bm93IHg=", "\x00"):
        for path in paths:
            answer = await trader.http.get(path, params={"cursor": cursor})
            assert code(answer) == (422, "invalid_cursor"), (path, cursor)


# --- what it is worth ------------------------------------------------------------------------


def position(account_id: UUID, symbol: str, qty: int, cost: str, pnl: str = "0") -> PositionRow:
    return PositionRow(
        account_id=account_id,
        mode="paper",
        symbol=symbol,
        qty=Decimal(qty),
        cost=Decimal(cost),
        avg_price=Decimal(cost) / qty if qty else Decimal(0),
        realized_pnl=Decimal(pnl),
        fees=Decimal("1.5"),
        updated_at=datetime.now(UTC),
    )


async def test_a_portfolio_counts_positions_at_their_newest_known_price(
    trader: Person,
    account: dict[str, Any],
    engine: Engine,
    redis: Redis,
    gateway_settings: GatewaySettings,
) -> None:
    account_id = UUID(account["id"])
    shard = shard_of(account_id, gateway_settings.order_shards)
    with Session(engine) as db, db.begin():
        db.add_all(
            [
                position(account_id, "SPY", 10, "5000"),
                position(account_id, "OLD", 4, "400"),
                position(account_id, "NEW", 2, "30"),
                position(account_id, "GONE", 0, "0", pnl="-12.25"),
            ]
        )
        db.add_all(
            MarkRow(shard=shard, symbol=s, price=Decimal(p), at=datetime.now(UTC), tape_id="0-0")
            for s, p in (("SPY", "1"), ("OLD", "101.5"))
        )
    await redis.hset(LAST_PRICES, mapping={"SPY": "510.25", "OLD": "not a price"})
    portfolio = (await trader.http.get(f"/accounts/{account['id']}/portfolio")).json()
    by_symbol = {row["symbol"]: row for row in portfolio["positions"]}
    assert sorted(by_symbol) == ["NEW", "OLD", "SPY"]
    assert by_symbol["SPY"]["last_price"] == "510.25"
    assert by_symbol["SPY"]["unrealized_pnl"] == "102.5"
    assert by_symbol["OLD"]["last_price"] == "101.5"
    assert by_symbol["NEW"]["last_price"] is None
    assert by_symbol["NEW"]["market_value"] == "30"
    assert portfolio["cash"] == "100000"
    assert portfolio["unrealized_pnl"] == "108.5"
    assert portfolio["equity"] == "105538.5"
    assert portfolio["realized_pnl"] == "-12.25"
    assert portfolio["fees"] == "6"


async def test_live_has_no_portfolio_without_a_broker(
    trader: Person, account: dict[str, Any]
) -> None:
    answer = await trader.http.get(f"/accounts/{account['id']}/portfolio?mode=live")
    assert code(answer) == (422, "mode_not_available")
