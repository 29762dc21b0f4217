"""Margin accounts in a shard: figures that survive it, calls, and what closes positions."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
from redis.asyncio import Redis
from sqlalchemy import text

from order_processor.snapshots.repository import Snapshots
from order_processor.verification.repository import BooksReader
from order_processor.wiring import Wiring
from shared.config import Settings
from shared.models.margin import MarginFigures, MarginTerms
from shared.models.orders import OrderReply, Refusal
from shared.models.risk import (
    ChangeMargin,
    FollowLimits,
    LimitsFollowed,
    RiskChanged,
    RiskReply,
    SeeRisk,
)
from shared.models.topics import account_topic
from shared.redis.topics import frames_after
from tests.order_processor.support import (
    SECOND_NS,
    Desk,
    Feed,
    ProcessorProcess,
    add_instrument,
    frames_are_gap_free,
    until,
)

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
Processes = Callable[..., ProcessorProcess]
D = Decimal
DAY_NS = 86_400 * SECOND_NS


async def change(desk: Desk, terms: MarginTerms | None = None) -> Any:
    return await desk.ask(
        ChangeMargin(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
            submitted_by="user:me",
            terms=terms,
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
    assert isinstance(reply, RiskReply)
    return reply


async def figures(desk: Desk) -> MarginFigures:
    found = (await stand(desk)).margin
    assert found is not None
    return found


async def hold(desk: Desk, feed: Feed, side: Any, qty: str, symbol: str = "SPY") -> None:
    await feed.print(100.0, symbol=symbol)
    order = await desk.submit(side, qty, symbol=symbol)
    assert order.status == "accepted", order.reason
    await feed.print(100.0, symbol=symbol)
    await until(lambda: desk.status(order.id) == "filled")


async def told(redis: Redis, desk: Desk) -> list[RiskChanged]:
    frames = await frames_after(redis, account_topic(desk.account, "paper", "risk"), 0)
    return [msgspec.convert(msgspec.json.decode(f)["data"], RiskChanged) for _, f in frames or ()]


def held(desk: Desk) -> dict[str, Decimal]:
    rows = desk.rows("SELECT symbol, qty FROM positions WHERE account_id = :a", a=desk.account)
    return {row.symbol: row.qty for row in rows}


def books_are_right(desk: Desk) -> None:
    assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []
    frames_are_gap_free(desk)


async def test_kind_figures_and_reservations_are_the_same_after_a_restart(
    processor: Processor, desk: Desk, feed: Feed, settings: Settings
) -> None:
    add_instrument(desk.engine, "QQQ")
    async with processor():
        await desk.open_books()
        short = await desk.submit("sell", "1", limit="100")
        assert short.reason_code == "insufficient_position"
        assert isinstance(await change(desk, MarginTerms()), RiskReply)
        await hold(desk, feed, "sell", "500")
        await hold(desk, feed, "buy", "700", "QQQ")
        await desk.submit("sell", "800", limit="110", symbol="QQQ")
        await desk.submit("buy", "100", limit="90")
        await desk.submit("sell", "150", limit="120")
        before = await figures(desk)
        assert (before.initial_requirement, before.order_requirement) == (D(60000), D(9000))
        refused = await change(desk, MarginTerms(initial_percent=D(80)))
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.limit) == ("requirement_not_met", "100000")
        refused = await change(desk)
        assert isinstance(refused, Refusal)
        assert refused.code == "margin_in_use"
    async with processor():
        assert (await stand(desk)).margin_terms == MarginTerms()
        assert await figures(desk) == before
        _, equity = Snapshots(desk.engine, settings.order_shards).take(
            desk.account, "paper", "equity"
        )
        assert equity.margin == before
        most = int(before.buying_power // 100)
        rejected = await desk.submit("buy", str(most + 1), limit="100", symbol="QQQ")
        assert rejected.reason_code == "insufficient_buying_power"
        assert (await desk.submit("buy", str(most), limit="100", symbol="QQQ")).status == "accepted"
        trail = desk.rows("SELECT outcome, code FROM order_audit WHERE command = 'change_margin'")
        assert [tuple(row) for row in trail] == [
            ("accepted", None),
            ("refused", "requirement_not_met"),
            ("refused", "margin_in_use"),
        ]
    books_are_right(desk)


async def test_a_call_is_carried_out_after_its_grace_also_when_the_process_died_meanwhile(
    processes: Processes, desk: Desk, feed: Feed, redis: Redis
) -> None:
    add_instrument(desk.engine, "QQQ")
    process = processes()
    await desk.insist(desk.command("buy", "1", limit="1"))
    assert isinstance(await change(desk, MarginTerms()), RiskReply)
    await feed.start(paced=True)
    await hold(desk, feed, "buy", "1400")
    await hold(desk, feed, "buy", "500", "QQQ")
    await feed.print(48.0)
    await until(lambda: _called(desk))
    assert (await desk.submit("buy", "1", limit="1")).reason_code == "margin_call"
    call = (await stand(desk)).state.margin_call
    assert call is not None
    assert (call.equity, call.requirement) == ("27200", "29300")
    assert (call.due_at - call.at).total_seconds() == 300
    process.kill()
    feed.at_ns += 298 * SECOND_NS
    await feed.print(48.0)
    process.start()
    await until(lambda: _awake(desk))
    assert (await stand(desk)).state.margin_call == call, "a second is left"
    await feed.mark(paced=True)
    feed.at_ns += 2 * SECOND_NS
    await feed.mark(paced=True)
    await until(lambda: desk.value("SELECT count(*) FROM orders WHERE closes_position") == 1)
    # From 29,300 to 27,200 / 1.05 it is 3,395.24, at 12 a share; the larger requirement first.
    [order] = desk.rows("SELECT * FROM orders WHERE closes_position")
    assert (order.symbol, order.side, order.qty) == ("SPY", "sell", 283)
    assert desk.value("SELECT count(*) FROM orders WHERE status = 'accepted'") == 1
    await feed.print(48.0)
    await until(lambda: _met(redis, desk))
    assert held(desk) == {"SPY": D(1117), "QQQ": D(500)}
    after = await figures(desk)
    assert after.equity == 27200
    assert after.equity >= after.maintenance_requirement * D("1.049")
    assert (await stand(desk)).state.margin_call is None
    events = [each.event for each in await told(redis, desk)]
    assert events == ["margin_called", "margin_liquidation", "margin_call_met"]
    books_are_right(desk)


async def test_without_equity_everything_is_closed_at_once_and_the_debt_stays(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async with processor():
        await desk.open_books()
        assert isinstance(await change(desk, MarginTerms()), RiskReply)
        await hold(desk, feed, "sell", "1900")
        resting = await desk.submit("buy", "5", limit="10")
        await feed.print(160.0)
        await until(lambda: desk.value("SELECT count(*) FROM orders WHERE closes_position") == 1)
        assert desk.status(resting.id) == "cancelled"
        await feed.print(170.0)
        await until(lambda: held(desk) == {"SPY": D(0)})
        state = await figures(desk)
        assert (state.equity, state.buying_power, state.use_percent) == (D(-33000), D(0), None)
        rejected = await desk.ask(desk.command("buy", "1"))
        assert isinstance(rejected, OrderReply)
        assert rejected.order.reason_code == "margin_call"
        assert [each.urgent for each in await told(redis, desk)] == [True, True]
    books_are_right(desk)


async def test_a_borrowed_position_is_paid_for_each_day_of_a_run_once(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE instruments SET borrow_fee_bps = 360"))
    async with processor():
        await desk.open_books()
        assert isinstance(await change(desk, MarginTerms()), RiskReply)
        await feed.start(paced=True)
        await feed.print(100.0)
        await feed.mark(paced=True)
        await hold(desk, feed, "sell", "100")
        await feed.mark(paced=True)
        feed.at_ns += DAY_NS
        await feed.print(110.0)  # the day that ended is paid for at its last price
        await feed.mark(paced=True)
        await until(lambda: interest(desk) == [D(-1)])
    async with processor():
        await feed.print(110.0)
        await feed.mark(paced=True)
        feed.at_ns += 3 * DAY_NS
        await feed.print(120.0)
        await until(lambda: interest(desk) == [D(-1), D("-3.30")])
        await feed.end()
        await feed.start(paced=True)
        feed.at_ns += 500 * DAY_NS
        for _ in range(3):
            await feed.print(100.0)
            await feed.mark(paced=True)
        feed.at_ns += DAY_NS
        await feed.print(100.0)
        await until(lambda: len(interest(desk)) == 3)
        assert interest(desk)[2] == D(-1), "what lies between two runs costs nothing"
    books_are_right(desk)


def interest(desk: Desk) -> list[Decimal]:
    rows = desk.rows("SELECT amount FROM ledger_entries WHERE kind = 'interest' ORDER BY seq")
    return [row.amount for row in rows]


async def _called(desk: Desk) -> bool:
    return (await stand(desk)).state.margin_call is not None


async def _awake(desk: Desk) -> bool:
    """It has come to the last print."""
    last = desk.value("SELECT price FROM order_shard_marks WHERE symbol = 'SPY'")
    return (await desk.insist(desk.command("buy", "1"))).status == "rejected" and last == 48


async def _met(redis: Redis, desk: Desk) -> bool:
    return (await told(redis, desk))[-1].event == "margin_call_met"


async def test_what_admins_say_of_lending_holds_for_the_next_order(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await change(desk, MarginTerms())
        await feed.print(100.0)
        assert (await desk.submit("sell", "1", limit="110")).status == "accepted"
        with desk.engine.begin() as connection:
            connection.execute(text("UPDATE instruments SET shortable = false"))
            connection.execute(
                text(
                    "INSERT INTO risk_platform (id, version, halts, halted, flatten, reason,"
                    " changed_by, changed_at) VALUES (1, 1, 0, false, false, '', '', now())"
                )
            )
        follow = FollowLimits(
            request_id=uuid4().hex,
            reply_to=desk.requests.reply_to,
            account_id=desk.account,
            mode="paper",
            version=1,
        )
        assert isinstance(await desk.ask(follow), LimitsFollowed)
        assert (await desk.submit("sell", "1", limit="110")).reason_code == "not_shortable"
