"""Splits and dividends, as shards carry them out when market time comes to the ex-date."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from analytics_service.performance.report import Performance, performance
from analytics_service.performance.repository import Books
from order_processor.main import create_app
from order_processor.settings import OrderProcessorSettings
from order_processor.verification.repository import BooksReader
from order_processor.wiring import Wiring
from shared.config import Settings
from shared.models.orders import Order, Refusal
from shared.service.internal import internal_client
from tests.order_processor.risk_support import deploy
from tests.order_processor.support import Desk, Feed, ProcessorProcess, frames_are_gap_free, until
from tests.order_processor.test_replacing_and_closing import replacing

D = Decimal
Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
Processes = Callable[..., ProcessorProcess]
#: 04:00 in New York, where the session of the day after `START_NS` starts.
SESSION = datetime(2013, 10, 8, 8, 0, tzinfo=UTC)
SESSION_NS = int(SESSION.timestamp()) * 1_000_000_000
SPLIT = {"symbol": "SPY", "kind": "split", "ratio_new": 3, "ratio_old": 2}
DIVIDEND = {"symbol": "SPY", "kind": "dividend", "amount": "0.5"}


def announce(desk: Desk, terms: dict[str, Any]) -> UUID:
    """As the route stores it."""
    action_id = uuid4()
    with desk.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO corporate_actions (id, symbol, kind, ratio_new, ratio_old, amount,"
                " ex_date, effective_at, announced_by) VALUES (:id, :symbol, :kind, :ratio_new,"
                " :ratio_old, :amount, '2013-10-08', :at, 'user:1')"
            ),
            {"ratio_new": None, "ratio_old": None, "amount": None}
            | terms
            | {"id": action_id, "at": SESSION},
        )
    return action_id


def performed(desk: Desk, settings: Settings) -> Performance:
    """As analytics tells it, without candles."""
    records = Books(desk.engine, settings.order_shards).read(desk.account, "paper")
    assert records is not None
    return performance(records, {}, 1000)


async def hold(desk: Desk, feed: Feed) -> tuple[Order, Order]:
    """25 shares, bought at 99 in a paced run, with a working buy and a working sell."""
    await feed.start(paced=True)
    await feed.print(99.0)
    bought = await desk.submit("buy", "25")
    await feed.print(99.0)
    await until(lambda: desk.status(bought.id) == "filled")
    return await desk.submit("buy", "10", limit="90"), await desk.submit("sell", "25", limit="120")


async def test_the_ex_dates_session_brings_dividend_and_split_once_also_after_a_kill(
    processes: Processes, processor: Processor, desk: Desk, feed: Feed
) -> None:
    split, _ = announce(desk, SPLIT), announce(desk, DIVIDEND)
    process = processes()
    buy, sell = await hold(desk, feed)
    feed.at_ns = SESSION_NS - 1_000_000_000
    await feed.mark(paced=True)
    opened = await desk.submit("buy", "1", limit="1", symbol="SPY")
    assert desk.value("SELECT count(*) FROM corporate_action_effects") == 0
    feed.at_ns = SESSION_NS
    with desk.engine.begin() as blocker:
        blocker.execute(text("LOCK TABLE corporate_action_effects IN SHARE MODE"))
        await feed.mark(paced=True)
        await until(lambda: desk.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        process.kill()
    assert desk.value("SELECT count(*) FROM corporate_action_effects") == 0
    for _ in range(2):  # a second successor finds that it was done
        async with processor():
            await until(lambda: desk.value("SELECT count(*) FROM corporate_action_effects") == 2)
            await desk.open_books()
            [position] = desk.rows("SELECT qty, cost, realized_pnl FROM positions")
            # 37.5 shares: half a share is sold at two thirds of the last price.
            assert tuple(position) == (D(37), D(2442), D(0))
            entries = desk.rows(
                "SELECT kind, amount, at FROM ledger_entries"
                " WHERE kind IN ('dividend', 'cash_in_lieu') ORDER BY seq"
            )
            assert [tuple(each) for each in entries] == [
                ("dividend", D("12.5"), SESSION),
                ("cash_in_lieu", D(33), SESSION),
            ]
            orders = {
                row.id: (row.qty, row.limit_price, row.status)
                for row in desk.rows("SELECT * FROM orders")
            }
            assert orders[buy.id] == (D(15), D("59.66"), "accepted")
            assert orders[sell.id] == (D(37), D("80"), "accepted")
            assert orders[opened.id] == (D(1), D("0.33"), "accepted")
            assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []
    async with processor():
        await feed.print(66.0, 80.5)
        await until(lambda: desk.status(sell.id) == "filled")
    assert desk.status(buy.id) == "accepted"
    assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []
    frames_are_gap_free(desk)
    effect = "SELECT qty_after FROM corporate_action_effects WHERE action_id = :a"
    assert desk.value(effect, a=split) == 37


async def test_until_its_next_print_a_split_position_is_worth_what_it_was(
    processor: Processor, desk: Desk, feed: Feed, settings: Settings
) -> None:
    deployment, pausing = deploy(desk), deploy(desk, wanted="paused")
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE deployments SET pause_orders = 'cancel_all'"))
    async with processor():
        await hold(desk, feed)
        working = await desk.submit("buy", "1", limit="80", deployment_id=deployment)
        announce(desk, SPLIT | {"ratio_new": 2, "ratio_old": 1})
        feed.at_ns = SESSION_NS
        await feed.mark(paced=True)
        await until(lambda: desk.value("SELECT count(*) FROM corporate_action_effects"))
        price = "SELECT price FROM order_shard_marks WHERE symbol = 'SPY' AND at = :at"
        await until(lambda: desk.value(price, at=SESSION) == D("49.5"))
        # It counts in old shares.
        wanted = "SELECT wanted FROM deployments WHERE id = :d"
        await until(lambda: desk.value(wanted, d=deployment) == "paused")
        # Its exits stay, however it was paused before; what its user has asked for stands.
        ends = "SELECT pause_orders FROM deployments WHERE id = :d"
        assert desk.value(ends, d=deployment) == "cancel_entries"
        assert desk.value(ends, d=pausing) == "cancel_all"
        for asked in (
            desk.command("buy", "1", deployment_id=deployment),
            replacing(desk, working, "r", limit_price="51"),
        ):
            refused = await desk.ask(asked)
            assert isinstance(refused, Refusal), asked
            assert refused.code == "deployment_outdated"
        anew = deploy(desk)
        assert (await desk.submit("buy", "1", limit="1", deployment_id=anew)).status == "accepted"
        # Bought in the new session: the split doesn't come to it again.
        bought = await desk.submit("buy", "10")
        await feed.print(50.0)
        await until(lambda: desk.status(bought.id) == "filled")
    async with processor():
        await desk.open_books()
        assert desk.value("SELECT qty FROM positions") == 60
        told = performed(desk, settings)
        assert (told.equity, told.executions) == (D(100_025), 2)
        assert min(point.equity for point in told.curve) == 100_000
        assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []


async def test_a_changed_effect_or_payment_is_found_by_the_check_of_the_books(
    processor: Processor, desk: Desk, feed: Feed, settings: Settings
) -> None:
    announce(desk, SPLIT)
    announce(desk, DIVIDEND)
    async with processor():
        await hold(desk, feed)
        feed.at_ns = SESSION_NS
        await feed.mark(paced=True)
        await until(lambda: desk.value("SELECT count(*) FROM corporate_action_effects") == 2)
    told = performed(desk, settings)
    # The dividend is income; what was left of a share was sold.
    assert (told.income, told.equity) == (D("12.5"), D("100012.5"))
    made = told.capital + told.net_flows + told.income + told.realized_pnl + told.unrealized_pnl
    assert made - told.fees == told.equity
    for change, back, check in (
        ("corporate_actions SET amount = 0.6 WHERE amount = 0.5",
         "corporate_actions SET amount = 0.5 WHERE amount = 0.6", "corporate_actions"),
        ("corporate_actions SET ratio_new = 4 WHERE ratio_new = 3",
         "corporate_actions SET ratio_new = 3 WHERE ratio_new = 4", "positions"),
        ("corporate_action_effects SET lots_cost_removed = lots_cost_removed + 1 WHERE price > 0",
         "corporate_action_effects SET lots_cost_removed = lots_cost_removed - 1 WHERE price > 0",
         "lot_profits"),
    ):  # fmt: skip
        with desk.engine.begin() as connection:
            assert connection.execute(text(f"UPDATE {change}")).rowcount == 1
        found = {each.check for each in BooksReader(desk.engine).check(desk.account, "paper")[0]}
        assert check in found, change
        with desk.engine.begin() as connection:
            connection.execute(text(f"UPDATE {back}"))
    assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []


async def test_an_action_is_announced_once_by_its_id_and_none_that_makes_no_sense(
    processor_settings: OrderProcessorSettings, settings: Settings, desk: Desk
) -> None:
    assert desk.account
    app = create_app(processor_settings)
    path = "/internal/corporate-actions"
    good = SPLIT | {"id": str(uuid4()), "ex_date": "2013-10-08", "announced_by": "user:1"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://orders",
            headers=internal_client(settings, "http://orders").headers,
        ) as http,
    ):
        made = await http.post(path, json=good)
        assert made.status_code == 201, made.text
        assert made.json()["effective_at"] == "2013-10-08T08:00:00Z"
        again = await http.post(path, json=good)
        assert (again.status_code, again.json()) == (200, made.json())
        for change, status, code in (
            ({"ratio_new": 4}, 409, "id_conflict"),
            ({"id": str(uuid4())}, 409, "corporate_action_exists"),
            ({"id": str(uuid4()), "ex_date": "2013-10-12"}, 422, "not_a_session"),
            ({"id": str(uuid4()), "ex_date": "2199-01-01"}, 422, "not_a_session"),
            ({"id": str(uuid4()), "symbol": "NOPE"}, 422, "unknown_symbol"),
            ({"id": str(uuid4()), "ratio_new": 2}, 422, "invalid_request"),
            ({"id": str(uuid4()), "ratio_new": 0}, 422, "invalid_request"),
            ({"id": str(uuid4()), "amount": "1"}, 422, "invalid_request"),
            ({"id": str(uuid4()), "kind": "dividend"}, 422, "invalid_request"),
            ({"id": "x"}, 422, "invalid_request"),
        ):
            refused = await http.post(path, json=good | change)
            assert (refused.status_code, refused.json()["code"]) == (status, code), change
        listed = (await http.get(path)).json()
        read = (await http.get(f"{path}/{good['id']}")).json()
        for each in (*listed["items"], read):
            assert each | {"looks": 0} == made.json()
        for verb, body, status, code in (
            ("retry", None, 409, "nothing_to_retry"),
            ("cancel", {}, 422, "invalid_request"),
        ):
            refused = await http.post(f"{path}/{good['id']}/{verb}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (status, code)
        cancelled = {"cancelled_by": "user:1"}
        assert (await http.post(f"{path}/{uuid4()}/retry")).status_code == 404
        assert (await http.post(f"{path}/{uuid4()}/cancel", json=cancelled)).status_code == 404
        assert (await http.get(f"{path}/{uuid4()}")).status_code == 404
        http.headers.pop("X-Internal-Token")
        assert (await http.post(path, json=good)).status_code in (401, 403)
