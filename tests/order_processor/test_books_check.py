"""Working the books out again: what adds up passes, and whatever is changed in a row is found."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from order_processor.main import create_app
from order_processor.settings import OrderProcessorSettings
from order_processor.verification.actions import Verification
from order_processor.verification.rebuild import Executed, Rebuilt, shown, units
from order_processor.verification.repository import BooksReader, ChecksTable
from order_processor.wiring import Wiring
from shared.config import Settings
from shared.models.identifiers import AccountId, Symbol
from shared.service.internal import internal_client
from shared.trading.amounts import rounded_down, rounded_up
from shared.trading.positions import Holding, after_fill
from tests.order_processor.support import Desk, Feed, add_account, until
from tests.order_processor.test_cash_commands import entered, leaving, move

D = Decimal
Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
AT = datetime(2026, 1, 5, tzinfo=UTC)


async def trade(desk: Desk, feed: Feed, account: AccountId, other: AccountId) -> None:
    """Fees, awkward prices, a round trip, one working order, cash in and out."""
    desk.account = account
    await feed.print(100.0)
    bought = await desk.submit("buy", "30")
    await feed.print(100.01)
    await until(lambda: desk.status(bought.id) == "filled")
    more = await desk.submit("buy", "7")
    await feed.print(100.07)
    await until(lambda: desk.status(more.id) == "filled")
    sold = await desk.submit("sell", "13", limit="101.13")
    await feed.print(101.77)
    await until(lambda: desk.status(sold.id) == "filled")
    await desk.submit("buy", "5", limit="90")
    await entered(desk, move(desk, "deposit", "12.34"))
    left = await entered(desk, leaving(desk, "-30", other))
    assert left.entry.transfer_id is not None


#: Changes of rows, each with what takes it back, and the checks that find it.
TAMPERINGS = [
    ("executions SET qty = qty + 1 WHERE seq = 1", "executions SET qty = qty - 1 WHERE seq = 1",
     {"ledger_of_executions", "order_fills", "realized_pnl", "positions", "strategy_positions",
      "lots"}),
    ("executions SET price = price + 0.01 WHERE seq = 2",
     "executions SET price = price - 0.01 WHERE seq = 2",
     {"ledger_of_executions", "order_fills", "realized_pnl", "positions", "strategy_positions"}),
    ("executions SET fee = fee + 0.01 WHERE seq = 1",
     "executions SET fee = fee - 0.01 WHERE seq = 1",
     {"ledger_of_executions", "positions", "strategy_positions"}),
    ("executions SET realized_pnl = realized_pnl + 0.000000000001 WHERE seq = 3",
     "executions SET realized_pnl = realized_pnl - 0.000000000001 WHERE seq = 3",
     {"realized_pnl"}),
    ("executions SET seq = 9 WHERE seq = 3", "executions SET seq = 3 WHERE seq = 9",
     {"execution_numbers"}),
    ("executions SET symbol = 'QQQ' WHERE seq = 1",
     "executions SET symbol = 'SPY' WHERE seq = 1",
     {"order_of_execution", "positions", "realized_pnl", "strategy_positions", "lots",
      "lot_profits"}),
    ("executions SET deployment_id = gen_random_uuid() WHERE seq = 1",
     "executions SET deployment_id = NULL WHERE seq = 1",
     {"order_of_execution", "strategy_positions"}),
    ("positions SET qty = qty + 1", "positions SET qty = qty - 1", {"positions"}),
    ("positions SET cost = cost + 0.000000000001", "positions SET cost = cost - 0.000000000001",
     {"positions"}),
    ("positions SET avg_price = avg_price + 1", "positions SET avg_price = avg_price - 1",
     {"positions"}),
    ("positions SET realized_pnl = 0.01 + realized_pnl",
     "positions SET realized_pnl = realized_pnl - 0.01", {"positions"}),
    ("positions SET fees = fees + 0.01", "positions SET fees = fees - 0.01", {"positions"}),
    ("strategy_positions SET qty = qty + 1", "strategy_positions SET qty = qty - 1",
     {"strategy_positions"}),
    ("lots SET qty = qty + 1 WHERE seq = 2", "lots SET qty = qty - 1 WHERE seq = 2",
     {"lots", "lot_closings"}),
    ("lots SET cost = cost + 0.01 WHERE seq = 2", "lots SET cost = cost - 0.01 WHERE seq = 2",
     {"lot_profits"}),
    ("lot_closings SET qty = qty + 1", "lot_closings SET qty = qty - 1", {"lot_closings"}),
    ("lot_closings SET realized_pnl = realized_pnl + 0.01",
     "lot_closings SET realized_pnl = realized_pnl - 0.01", {"lot_profits"}),
    ("ledger_entries SET amount = amount + 0.01 WHERE seq = 2",
     "ledger_entries SET amount = amount - 0.01 WHERE seq = 2",
     {"ledger_balance", "ledger_of_executions", "lot_profits"}),
    ("ledger_entries SET balance = balance + 0.01 WHERE seq = 3",
     "ledger_entries SET balance = balance - 0.01 WHERE seq = 3", {"ledger_balance"}),
    ("ledger_entries SET seq = 99 WHERE seq = 9", "ledger_entries SET seq = 9 WHERE seq = 99",
     {"ledger_numbers"}),
    ("ledger_entries SET execution_id = NULL WHERE kind = 'fee' AND seq = 3",
     "ledger_entries SET execution_id = (SELECT id FROM executions WHERE seq = 1"
     " AND account_id = ledger_entries.account_id) WHERE kind = 'fee' AND seq = 3",
     {"ledger_of_executions"}),
    ("ledger_entries SET transfer_id = gen_random_uuid() WHERE kind = 'transfer' AND amount > 0",
     None, {"transfers"}),
    ("orders SET filled_qty = 1 WHERE seq = 1", "orders SET filled_qty = 30 WHERE seq = 1",
     {"order_fills"}),
    ("orders SET filled_avg_price = 100 WHERE seq = 3",
     "orders SET filled_avg_price = 101.77 WHERE seq = 3", {"order_fills"}),
    ("orders SET status = 'cancelled' WHERE seq = 1", "orders SET status = 'filled' WHERE seq = 1",
     {"order_fills", "order_transitions"}),
    ("orders SET reserved = 449.99 WHERE seq = 4", "orders SET reserved = 450.05 WHERE seq = 4",
     {"reservations"}),
]  # fmt: skip


async def test_books_that_add_up_pass_and_each_changed_row_is_found(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    account = add_account(desk.engine, fee_bps="1", capital="100000")
    other = add_account(desk.engine, capital="50")
    reader = BooksReader(desk.engine)
    async with processor():
        await trade(desk, feed, account, other)
        # What has left is under way: that is no difference.
        assert reader.check(account, "paper") == ([], 3)
        desk.account = other
        half = move(
            desk,
            "transfer",
            "30",
            f"transfer {(left := _left(desk, account))}",
            transfer_id=left,
            counterpart_id=account,
        )
        await entered(desk, half)
    assert reader.check(account, "paper") == ([], 3)
    assert reader.check(other, "paper") == ([], 0)
    for change, undo, checks in TAMPERINGS:
        _update(desk, change, other if "amount > 0" in change else account)
        found = {each.check for key in reader.keys(None) for each in reader.check(*key)[0]}
        assert found == checks, change
        if undo is not None:
            _update(desk, undo, account)
        else:
            _update(
                desk, f"ledger_entries SET transfer_id = '{left}' WHERE kind = 'transfer'", other
            )
        assert reader.check(account, "paper") == ([], 3), undo
    with desk.engine.begin() as connection:
        connection.execute(text("DELETE FROM positions WHERE account_id = :a"), {"a": account})
    [missing] = reader.check(account, "paper")[0]
    assert (missing.check, missing.item, missing.found) == ("positions", "SPY", "none")


def _left(desk: Desk, account: AccountId) -> Any:
    return desk.value(
        "SELECT transfer_id FROM ledger_entries WHERE account_id = :a AND kind = 'transfer'",
        a=account,
    )


def _update(desk: Desk, change: str, account: AccountId) -> None:
    where = " AND" if "WHERE" in change else " WHERE"
    with desk.engine.begin() as connection:
        done = connection.execute(text(f"UPDATE {change}{where} account_id = :a"), {"a": account})
        assert done.rowcount == 1, change


async def test_a_check_is_asked_for_over_http_and_its_result_is_kept(
    processor_settings: OrderProcessorSettings, settings: Settings, desk: Desk
) -> None:
    app = create_app(processor_settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://orders",
            headers=internal_client(settings, "http://orders").headers,
        ) as http,
    ):
        path = "/internal/books-checks"
        assert (await http.get(f"{path}/last")).status_code == 404
        await desk.open_books()
        _update(desk, "ledger_entries SET balance = balance + 1", desk.account)
        started = await http.post(path, json={"requested_by": "user:1"})
        assert started.status_code == 202

        async def ended() -> Any:
            check = (await http.get(f"{path}/{started.json()['id']}")).json()
            return check if check["status"] != "running" else None

        check = await until(ended)
        assert (check["status"], check["books"], check["differences"]) == ("done", 1, 1)
        [difference] = check["details"]
        assert difference == {
            "account_id": str(desk.account),
            "mode": "paper",
            "check": "ledger_balance",
            "item": "1",
            "expected": "100000",
            "found": "100001",
        }
        assert (await http.get(f"{path}/last")).json() == check
        assert (await http.get(f"{path}/{uuid4()}")).status_code == 404
        for bad in ({}, {"requested_by": "user:1", "account_id": "x"}):
            assert (await http.post(path, json=bad)).status_code == 422
        http.headers.pop("X-Internal-Token")
        assert (await http.post(path, json={"requested_by": "user:1"})).status_code in (401, 403)


async def test_a_nights_check_is_made_once_by_whoever_comes_first(desk: Desk) -> None:
    processes = [Verification(BooksReader(desk.engine), ChecksTable(desk.engine)) for _ in range(3)]
    early, due = AT.replace(hour=2), AT.replace(hour=3)
    assert not any([await each.check_tonight(3, early) for each in processes])
    done = await asyncio.gather(*(each.check_tonight(3, due) for each in processes))
    assert sorted(done) == [False, False, True]
    assert not any([await each.check_tonight(3, due) for each in processes])
    assert await processes[0].check_tonight(3, due.replace(day=6))
    # One that died while it ran is made by another.
    with desk.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE books_checks SET status = 'running', updated_at = now() - interval '1 hour'"
            )
        )
    last = await processes[1].last()
    assert last is not None
    assert (last.status, last.error) == ("failed", "Its process died.")
    assert await processes[1].check_tonight(3, due)


trades = st.lists(
    st.tuples(
        st.integers(-(10**6), 10**6).filter(bool),
        st.integers(1, 10**15),
        st.integers(0, 500),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None)
@given(trades)
def test_positions_worked_out_in_whole_numbers_agree_with_the_books(
    fills: list[tuple[int, int, int]],
) -> None:
    """Also through zero and short."""
    holding, rebuilt = Holding(Symbol("A")), Rebuilt()
    for number, (thousandths, price_units, cents) in enumerate(fills):
        qty, price, fee = D(thousandths) / 1000, D(price_units).scaleb(-12), D(cents) / 100
        flow = -rounded_up(qty * price) if qty > 0 else rounded_down(-qty * price)
        holding, realized = after_fill(holding, qty, flow, fee, AT)
        amounts = map(units, (qty, price, fee, realized))
        rebuilt.take([Executed(str(number), "A", "manual", *amounts)])
    assert rebuilt.wrong_profits == []
    if fills:
        found = rebuilt.positions["A"]
        kept = (holding.qty, holding.cost, holding.avg_price, holding.realized_pnl, holding.fees)
        amounts = (found.qty, found.cost, found.average(), found.realized, found.fees)
        assert amounts == tuple(map(units, kept))


@pytest.mark.parametrize(
    ("amount", "told"),
    [("0", "0"), ("-0.000000000001", "-0.000000000001"), ("12.50", "12.5"), ("1E+3", "1000")],
)
def test_units_are_exact_and_shown_as_people_read_them(amount: str, told: str) -> None:
    assert shown(units(D(amount))) == told
