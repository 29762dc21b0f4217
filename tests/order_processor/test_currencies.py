"""An account in dollars that trades in euros, through the order processor and the database."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from analytics_service.performance.report import performance
from analytics_service.performance.repository import Books
from order_processor.shards.clock import wall_clock
from order_processor.snapshots.repository import Snapshots
from order_processor.verification.repository import BooksReader
from order_processor.wiring import Wiring
from shared.config import Settings
from shared.models.cash import CashReply, ConversionReply, ConvertCash, MoveCash
from shared.models.orders import EquityMarked, Refusal, Reply
from shared.models.risk import RiskReply, SeeRisk
from tests.order_processor.support import Desk, Feed, add_account, add_instrument, until

D = Decimal
Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


def set_rate(desk: Desk, rate: str, age_s: int = 0) -> None:
    statement = text(
        "INSERT INTO fx_rates (currency, quote_currency, rate, at, set_by)"
        " SELECT 'EUR', 'USD', :rate, :at, id FROM users LIMIT 1"
    )
    at = wall_clock() - timedelta(seconds=age_s)
    with desk.engine.begin() as connection:
        connection.execute(statement, {"rate": D(rate), "at": at})


async def move(desk: Desk, kind: Any, amount: str, name: str) -> Reply:
    return await desk.ask(
        MoveCash(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
            client_entry_id=name,
            submitted_by="user:1",
            kind=kind,
            amount=D(amount),
            currency="EUR",
        )
    )


async def convert(desk: Desk, amount: str, sold: str, bought: str, name: str = "c") -> Reply:
    return await desk.ask(
        ConvertCash(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
            client_entry_id=name,
            submitted_by="user:1",
            from_currency=sold,
            to_currency=bought,
            amount=D(amount),
        )
    )


async def stand(desk: Desk) -> RiskReply:
    reply = await desk.ask(
        SeeRisk(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
        )
    )
    assert isinstance(reply, RiskReply), reply
    return reply


async def trade_abroad(desk: Desk, feed: Feed) -> None:
    """20 bought at 50 euros, 5 sold at 60, some cash paid in and converted."""
    order = await desk.submit("buy", "20", limit="50", symbol="SAP")
    await feed.print(50.0, symbol="SAP")
    await until(lambda: desk.status(order.id) == "filled")
    set_rate(desk, "1.2")
    await until_rate(desk, D("1.2"))
    order = await desk.submit("sell", "5", limit="60", symbol="SAP")
    await feed.print(60.0, symbol="SAP")
    await until(lambda: desk.status(order.id) == "filled")
    assert isinstance(await move(desk, "deposit", "100", "in"), CashReply)
    assert isinstance(await convert(desk, "150", "EUR", "USD"), ConversionReply)


async def until_rate(desk: Desk, rate: Decimal) -> None:
    while True:
        foreign = (await stand(desk)).foreign_cash
        if foreign is not None and foreign["EUR"].rate == rate:
            return


async def test_rates_that_were_used_are_stored_and_books_opened_again_are_the_same(
    processor: Processor, desk: Desk, feed: Feed, settings: Settings
) -> None:
    add_instrument(desk.engine, "SAP", currency="EUR")
    desk.account = add_account(desk.engine, capital="10000", fee_bps="10")
    async with processor():
        await feed.start()
        rejected = await desk.submit("buy", "1", limit="50", symbol="SAP")
        assert (rejected.status, rejected.reason_code) == ("rejected", "fx_rate_missing")
        refused = await move(desk, "deposit", "100", "in")
        assert isinstance(refused, Refusal)
        assert refused.code == "fx_rate_missing"
        set_rate(desk, "1.1")
        while (await desk.submit("buy", "1", limit="1", symbol="SAP")).status == "rejected":
            pass  # until the processor has looked
        await trade_abroad(desk, feed)
        before = await stand(desk)
        assert before.foreign_cash is not None
        assert before.foreign_cash["EUR"].cash == D(300) - D("0.3") + 100 - 150
        again = await convert(desk, "150", "EUR", "USD")
        assert isinstance(again, ConversionReply)
        assert again.repeated
        conflict = await convert(desk, "151", "EUR", "USD")
        assert isinstance(conflict, Refusal)
        assert conflict.code == "client_entry_id_conflict"
    async with processor():
        after = await stand(desk)
        assert (after.foreign_cash, after.gross_exposure) == (
            before.foreign_cash,
            before.gross_exposure,
        )
        repeated = await convert(desk, "150", "EUR", "USD")
        assert isinstance(repeated, ConversionReply)
        assert (repeated.sold, repeated.bought) == (again.sold, again.bought)
    executions = desk.rows(
        "SELECT fx_rate, realized_pnl, realized_pnl_base FROM executions WHERE account_id = :a"
        " ORDER BY seq",
        a=desk.account,
    )
    assert [tuple(row) for row in executions] == [(D("1.1"), 0, 0), (D("1.2"), 50, 60)]
    # 1,001 euros were bought at 1.1 and ten basis points, 150 sold at 1.2 less as many.
    cash = D(10_000) - D(1001) * D("1.1011") + D("179.82")
    seq, mark = Snapshots(desk.engine, settings.order_shards).take(
        desk.account, "paper", "equity"
    ) or (0, 0)
    assert isinstance(mark, EquityMarked)
    assert (seq, mark.cash) == (0, cash)
    assert mark.equity == cash + (D("249.7") + 15 * 60) * D("1.2")
    assert mark.unrealized_pnl == 15 * 10 * D("1.2")
    statistics_agree(desk, settings, mark)
    check_finds(desk)


def statistics_agree(desk: Desk, settings: Settings, mark: EquityMarked) -> None:
    """All in dollars, each amount at the rate of its time."""
    records = Books(desk.engine, settings.order_shards).read(desk.account, "paper")
    assert records is not None
    told = performance(records, {}, 1000)
    assert (told.equity, told.unrealized_pnl) == (mark.equity, mark.unrealized_pnl)
    assert told.cash == mark.cash + D("249.7") * D("1.2")
    assert (told.capital, told.net_flows, told.income) == (10_000, 120, 0)
    # A euro of fees at 1.1, 30 cents at 1.2; 50 euros of profit at 1.2.
    assert (told.fees, told.realized_pnl) == (D("1.1") + D("0.36"), D(60))
    # The rate rose by a tenth while 1,000 euros were in the share; two spreads were paid.
    assert told.currency_pnl == 20 * 50 * D("0.1") - D(1001) * D("0.0011") - 150 * D("0.0012")
    assert (told.executions, told.trades) == (2, 0)
    assert abs(told.curve[-1].equity - told.equity) < D("1e-9")
    # Deposits are no profit.
    assert abs(min(point.equity for point in told.curve) - 10_000) < 3


_BROKEN = [
    ("foreign_cash SET balance = balance + 1", "foreign_cash SET balance = balance - 1",
     {"foreign_cash"}),
    ("ledger_entries SET rate = 2 WHERE kind = 'fill' AND seq = 4",
     "ledger_entries SET rate = 1.1 WHERE kind = 'fill' AND seq = 4", {"execution_rates"}),
    ("ledger_entries SET rate = NULL WHERE kind = 'deposit' AND currency = 'EUR'",
     "ledger_entries SET rate = 1.2 WHERE kind = 'deposit' AND currency = 'EUR'",
     {"entry_rates"}),
    ("ledger_entries SET rate = 1.3 WHERE kind = 'fx' AND client_entry_id = 'c'",
     "ledger_entries SET rate = 1.1988 WHERE kind = 'fx' AND client_entry_id = 'c'",
     {"conversions"}),
    ("executions SET realized_pnl_base = 61 WHERE seq = 2",
     "executions SET realized_pnl_base = 60 WHERE seq = 2", {"execution_rates"}),
]  # fmt: skip


def check_finds(desk: Desk) -> None:
    """Books that add up pass, and each changed row is found."""
    reader = BooksReader(desk.engine)
    assert reader.check(desk.account, "paper") == ([], 2)
    for change, undo, expected in _BROKEN:
        for statement, found in ((change, expected), (undo, set())):
            with desk.engine.begin() as connection:
                extra = " AND" if "WHERE" in statement else " WHERE"
                done = connection.execute(
                    text(f"UPDATE {statement}{extra} account_id = :a"),
                    {"a": desk.account},
                )
                assert done.rowcount == 1, statement
            differences, _ = reader.check(desk.account, "paper")
            assert {each.check for each in differences} == found, statement
