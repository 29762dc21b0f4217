"""Conversions of positions, from the command to the tables, and what deployments read of them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from order_processor.shards.clock import moment
from order_processor.verification.repository import BooksReader
from order_processor.wiring import Wiring
from shared.models.conversions import ConvertPosition, PositionConversionReply
from shared.models.identifiers import Symbol
from shared.models.orders import Refusal
from strategy_workers.runtime.account_books import read_books
from tests.order_processor.risk_support import deploy
from tests.order_processor.support import (
    SECOND_NS,
    Desk,
    Feed,
    ProcessorProcess,
    add_account,
    frames_are_gap_free,
    until,
)

D = Decimal
Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


def converting(desk: Desk, name: str, qty: str, **more: Any) -> ConvertPosition:
    given = {"from_deployment_id": None, "to_deployment_id": None} | more
    return ConvertPosition(
        request_id=uuid4().hex,
        reply_to=desk.requests.reply_to,
        account_id=given.pop("account_id", desk.account),
        mode="paper",
        client_conversion_id=name,
        submitted_by="user:1",
        symbol=Symbol("SPY"),
        qty=D(qty),
        **given,
    )


def pause(desk: Desk, deployment: UUID, wanted: str = "paused", status: str = "paused") -> None:
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE deployments SET wanted = :w, status = :s WHERE id = :d"),
            {"d": deployment, "w": wanted, "s": status},
        )


async def bought(desk: Desk, feed: Feed, qty: str = "30", **more: Any) -> None:
    order = await desk.submit("buy", qty, **more)
    await feed.print(100.0)
    await until(lambda: desk.status(order.id) == "filled")


def own(desk: Desk, deployment: UUID) -> tuple[Decimal, Decimal]:
    """As a worker reads it."""
    with desk.engine.connect() as connection:
        held = read_books(connection, desk.account, "paper", deployment).own["SPY"]
    return held.qty, held.avg_price


async def test_a_conversion_is_made_once_whatever_dies_and_the_strategy_reads_it(
    processes: Callable[..., ProcessorProcess], processor: Processor, desk: Desk, feed: Feed
) -> None:
    deployment = deploy(desk)
    process = processes()
    await feed.start()
    await feed.print(100.0)
    await bought(desk, feed)
    pause(desk, deployment)
    command = converting(desk, "c1", "10", to_deployment_id=deployment)
    with desk.engine.begin() as blocker:
        blocker.execute(text("LOCK TABLE position_conversions IN SHARE MODE"))
        sent = asyncio.create_task(desk.ask(command))
        await until(lambda: desk.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        process.kill()
    sent.cancel()  # its answer is lost, whether or not Postgres has carried it out
    async with processor():
        await until(lambda: desk.value("SELECT count(*) FROM position_conversions"))
        again = await desk.ask(command)
        assert isinstance(again, PositionConversionReply)
        assert (again.repeated, again.conversion.cost) == (True, D(1000))
        owners = "SELECT owner, qty, cost FROM strategy_positions ORDER BY qty"
        held = {row.owner: (row.qty, row.cost) for row in desk.rows(owners)}
        assert held == {str(deployment): (D(10), D(1000)), "manual": (D(20), D(2000))}
        assert own(desk, deployment) == (D(10), D(100))
        await bought(desk, feed, "10", deployment_id=deployment)
        back = converting(desk, "c2", "5", from_deployment_id=deployment)
        assert isinstance(await desk.ask(back), PositionConversionReply)
        assert own(desk, deployment) == (D(15), D(100))
        # Its stop would sell what it had given away.
        stop = {"order_type": "stop", "stop_price": "90", "deployment_id": deployment}
        kept = await desk.submit("sell", "12", **stop)
        refused = await desk.ask(converting(desk, "c3", "4", from_deployment_id=deployment))
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.limit, refused.observed) == ("exits_working", "3", "4")
        await desk.cancel(kept.id)
        assert desk.value("SELECT qty FROM positions") == 40
        assert desk.value("SELECT count(*) FROM ledger_entries WHERE kind <> 'deposit'") == 2
    assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []
    frames_are_gap_free(desk)
    audited = desk.rows(
        "SELECT outcome, detail FROM order_audit WHERE command = 'convert_position' ORDER BY id"
    )
    assert [row.outcome for row in audited] == ["accepted", "repeated", "accepted", "refused"]
    assert audited[0].detail["to_deployment_id"] == str(deployment)
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE position_conversions SET qty = 4 WHERE qty = 5"))
    found = {each.check for each in BooksReader(desk.engine).check(desk.account, "paper")[0]}
    assert found == {"strategy_positions"}


async def test_books_add_up_where_market_time_went_back_between_a_split_and_a_conversion(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    deployment = deploy(desk)
    pause(desk, deployment)
    async with processor():
        await feed.start(paced=True)
        await feed.print(100.0)
        await bought(desk, feed)
        first = feed.at_ns
        with desk.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO corporate_actions (id, symbol, kind, ratio_new, ratio_old,"
                    " ex_date, effective_at, announced_by) VALUES (gen_random_uuid(), 'SPY',"
                    " 'split', 1, 4, :at, :at, 'user:1')"
                ),
                {"at": moment(first + 1800 * SECOND_NS)},
            )
        feed.at_ns += 1900 * SECOND_NS
        await feed.print(400.0)
        await until(lambda: desk.value("SELECT count(*) FROM corporate_action_effects"))
        feed.at_ns = first  # another run of the same period
        await feed.start(paced=True)
        await feed.print(400.0)
        moved = converting(desk, "c1", "3", to_deployment_id=deployment)
        reply = await desk.ask(moved)
        assert isinstance(reply, PositionConversionReply)
        assert reply.conversion.at < moment(first + 1800 * SECOND_NS)
    owners = "SELECT qty FROM strategy_positions ORDER BY qty"
    assert [row.qty for row in desk.rows(owners)] == [D(3), D(4)]
    assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []


async def test_others_deployments_and_those_that_run_are_refused_and_change_nothing(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    paused, running, stopping, stopped = (deploy(desk) for _ in range(4))
    pause(desk, paused)
    pause(desk, stopping, status="running")
    pause(desk, stopped, wanted="stopped", status="stopped")
    async with processor():
        await feed.start()
        await feed.print(100.0)
        await bought(desk, feed)
        for change, code in (
            ({"to_deployment_id": uuid4()}, "not_found"),
            ({"to_deployment_id": running}, "deployment_running"),
            ({"to_deployment_id": stopping}, "deployment_running"),
            ({"to_deployment_id": stopped}, "deployment_stopped"),
            ({"from_deployment_id": paused}, "position_not_open"),
            ({"to_deployment_id": paused, "account_id": add_account(desk.engine)}, "not_found"),
            ({}, "same_owner"),
        ):
            refused = await desk.ask(converting(desk, "c1", "10", **change))
            assert isinstance(refused, Refusal), change
            assert refused.code == code, change
        made = converting(desk, "c1", "10", to_deployment_id=paused)
        assert isinstance(await desk.ask(made), PositionConversionReply)
        other = await desk.ask(converting(desk, "c1", "11", to_deployment_id=paused))
        assert isinstance(other, Refusal)
        assert other.code == "client_conversion_id_conflict"
        # Started between the look-up and the commit: it is looked at again.
        with desk.engine.begin() as connection:
            connection.execute(
                text("UPDATE deployments SET wanted = 'running' WHERE id = :d"), {"d": paused}
            )
            late = converting(desk, "c3", "1", to_deployment_id=paused)
            sent = asyncio.create_task(desk.ask(late))
            await until(lambda: desk.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        refused = await sent
        assert isinstance(refused, Refusal)
        assert refused.code == "deployment_running"
        assert desk.value("SELECT count(*) FROM position_conversions") == 1
    assert BooksReader(desk.engine).check(desk.account, "paper")[0] == []
