"""Splits and dividends that can't be carried out on some books, and those announced too late."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from order_processor.corporate_actions.actions import CorporateActions
from order_processor.corporate_actions.records import ActionBatch, LookRecord, Outdated
from order_processor.corporate_actions.repository import Known, read_actions, write_actions
from order_processor.corporate_actions.schemas import ActionRequest
from order_processor.shards.sessions import Sessions
from order_processor.verification.repository import BooksReader
from order_processor.wiring import Wiring
from shared.calendars import Calendars
from shared.config import Settings
from shared.database.tables import UserRow
from shared.models.identifiers import AccountId, Symbol
from shared.redis.keys import shard_of
from shared.service.problems import Problem
from tests.order_processor.risk_support import deploy
from tests.order_processor.support import Desk, Feed, add_account, until
from tests.order_processor.test_corporate_actions import (
    DIVIDEND,
    SESSION,
    SESSION_NS,
    SPLIT,
    announce,
    hold,
)

D = Decimal
Processor = Callable[[], AbstractAsyncContextManager[Wiring]]


def change(desk: Desk, sql: str, **values: Any) -> int:
    with desk.engine.begin() as connection:
        return connection.execute(text(sql), values).rowcount


def add_admin(desk: Desk) -> UUID:
    with Session(desk.engine) as db, db.begin():
        row = UserRow(email="a@example.com", username="admin", password_hash="-", role="admin")
        db.add(row)
        db.flush()
        return row.id


async def buy_for_others(desk: Desk, feed: Feed, shards: int, others: int) -> list[UUID]:
    """Accounts of the same shard, with 10 shares each."""
    shard = shard_of(desk.account, shards)
    accounts: list[AccountId] = []
    while len(accounts) < others:
        account = add_account(desk.engine)
        if shard_of(account, shards) == shard:
            accounts.append(account)
    for account in accounts:
        await desk.submit("buy", "10", account=account)
    await feed.print(99.0)
    filled = "SELECT count(*) FROM executions"
    await until(lambda: desk.value(filled) == others + 1)
    return list(accounts)


async def come_to_the_ex_date(feed: Feed) -> None:
    feed.at_ns = SESSION_NS
    await feed.mark(paced=True)


@pytest.mark.parametrize(
    ("damage", "repair", "failing"),
    [
        # An owner is missing: the code fails.
        ("DELETE FROM strategy_positions WHERE account_id = :a",
         "INSERT INTO strategy_positions SELECT account_id, mode, symbol, 'manual', qty, cost,"
         " avg_price, realized_pnl, fees, updated_at FROM positions WHERE account_id = :a", 1),
        # More than the column holds: Postgres fails, and doesn't say on which of the books.
        ("UPDATE positions SET qty = qty + 9e25 WHERE account_id = :a",
         "UPDATE positions SET qty = qty - 9e25 WHERE account_id = :a", 3),
    ],
)  # fmt: skip
async def test_a_split_that_fails_on_some_books_is_set_aside_there_until_it_is_tried_again(
    processor: Processor,
    desk: Desk,
    feed: Feed,
    settings: Settings,
    damage: str,
    repair: str,
    failing: int,
) -> None:
    admin, deployment = add_admin(desk), deploy(desk)
    async with processor() as running:
        _, sell = await hold(desk, feed)
        others = await buy_for_others(desk, feed, settings.order_shards, 2)
    assert change(desk, damage, a=desk.account) == 1
    split = announce(desk, SPLIT)
    async with processor() as running:
        actions = running.corporate_actions
        await come_to_the_ex_date(feed)
        await until(lambda: told(actions, split).looks == 4)
        found = told(actions, split)
        assert (found.status, found.failed, found.effects) == ("failed", failing, 3 - failing)
        failures = {each.account_id: each.code for each in found.failures}
        assert failures[desk.account] == "internal_error"
        assert desk.status(sell.id) == "cancelled"
        assert (
            desk.value("SELECT outdated_by FROM deployments WHERE id = :d", d=deployment) == split
        )
        for kind in ({"limit": "60"}, {"order_type": "stop", "stop_price": "120"}):
            rejected = await desk.submit("buy", "1", **kind)
            assert (rejected.status, rejected.reason_code) == (
                "rejected",
                "corporate_action_failed",
            )
        # Others trade on.
        other = await desk.submit("sell", "15", limit="90", account=others[0])
        assert (other.status == "accepted") == (failing == 1)
        for user, count in ((admin, 1), (owner_of(desk), 1)):
            notices = "SELECT count(*) FROM notifications WHERE user_id = :u AND code = :c"
            assert desk.value(notices, u=user, c="corporate_action_failed") == count
    # A restart changes nothing of it.
    change(desk, repair, a=desk.account)
    async with processor() as running:
        actions = running.corporate_actions
        assert (await desk.submit("buy", "1", limit="60")).reason_code == "corporate_action_failed"
        asked = actions.retry(split)
        assert asked is not None
        assert (asked.retries, actions.retry(split)) == (1, asked)
        await until(lambda: told(actions, split).failed == 0)
        assert (told(actions, split).status, told(actions, split).effects) == ("announced", 3)
        assert desk.value("SELECT qty FROM positions WHERE account_id = :a", a=desk.account) == 37
        await until_accepted(desk)
        with pytest.raises(Problem, match="no books"):
            actions.retry(split)
        with pytest.raises(Problem, match="taken back"):
            actions.cancel(split, "user:1")
        for account in (desk.account, *others):
            assert BooksReader(desk.engine).check(account, "paper")[0] == []


async def until_accepted(desk: Desk) -> None:
    async def accepted() -> bool:
        return (await desk.submit("buy", "1", limit="60")).status == "accepted"

    await until(accepted)


def told(actions: CorporateActions, action_id: UUID) -> Any:
    found = actions.get(action_id)
    assert found is not None
    return found


def owner_of(desk: Desk) -> UUID:
    return desk.value("SELECT owner_id FROM accounts WHERE id = :a", a=desk.account)


async def test_a_cancelled_action_never_comes_and_frees_what_had_failed(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    dividend, split = announce(desk, DIVIDEND), announce(desk, SPLIT)
    async with processor() as running:
        actions = running.corporate_actions
        await hold(desk, feed)
        cancelled = actions.cancel(dividend, "user:1")
        assert cancelled is not None
        assert (cancelled.status, cancelled.cancelled_by) == ("cancelled", "user:1")
        assert actions.cancel(dividend, "user:2") == cancelled
        with pytest.raises(Problem, match="cancelled"):
            actions.retry(dividend)
    change(desk, "DELETE FROM strategy_positions")
    async with processor() as running:
        actions = running.corporate_actions
        await come_to_the_ex_date(feed)
        await until(lambda: told(actions, split).status == "failed")
        assert told(actions, dividend).effects == 0
        assert actions.cancel(split, "user:1") is not None
        await until_accepted(desk)
        assert desk.value("SELECT qty FROM positions") == 25
        # Another can be announced for the same day.
        again = ask(SPLIT)
        assert actions.announce(again, SESSION)[0].id == again.id


def ask(terms: dict[str, Any]) -> ActionRequest:
    day = {"ex_date": "2013-10-08", "announced_by": "user:1"}
    return ActionRequest.model_validate(terms | day | {"id": uuid4()})


async def test_one_that_came_to_some_books_is_not_announced_again_once_it_is_cancelled(
    desk: Desk, calendar_folder: Path
) -> None:
    actions = CorporateActions(desk.engine, Sessions(Calendars(calendar_folder)))
    first = actions.announce(ask(DIVIDEND), SESSION)[0].id
    paid = add_account(desk.engine)
    change(
        desk,
        "INSERT INTO corporate_action_effects (account_id, mode, action_id, execution_seq, unit,"
        " qty_before, qty_after, realized_pnl, lots_cost_removed)"
        " VALUES (:a, 'paper', :id, 1, 1, 10, 10, 0, 0)",
        a=paid,
        id=first,
    )
    change(
        desk,
        "INSERT INTO corporate_action_failures (account_id, mode, action_id, attempt, code, reason)"
        " VALUES (:a, 'paper', :id, 0, 'internal_error', 'It failed.')",
        a=desk.account,
        id=first,
    )
    actions.cancel(first, "user:1")
    assert told(actions, first).status == "cancelled"
    with pytest.raises(Problem) as refused:
        actions.announce(ask(DIVIDEND), SESSION)
    assert refused.value.code == "corporate_action_exists"
    # The split of that day is another.
    assert actions.announce(ask(SPLIT), SESSION)[1] is False


async def test_a_late_dividend_is_paid_on_what_was_held_then_also_where_nothing_is_left(
    processor: Processor, desk: Desk, feed: Feed, settings: Settings
) -> None:
    async with processor() as running:
        await hold(desk, feed)
        [other] = await buy_for_others(desk, feed, settings.order_shards, 1)
        await come_to_the_ex_date(feed)
        await desk.submit("sell", "10", account=other)
        closing = await desk.submit("buy", "5")
        await feed.print(100.0)
        await until(lambda: desk.status(closing.id) == "filled")
        flat = "SELECT count(*) FROM positions WHERE qty = 0"
        assert desk.value(flat) == 1
        late = announce(desk, DIVIDEND)
        actions = running.corporate_actions
        await until(lambda: told(actions, late).effects == 2)
        paid = desk.rows(
            "SELECT account_id, amount FROM ledger_entries WHERE kind = 'dividend' ORDER BY amount"
        )
        # On 10 and 25 shares, whatever was traded since.
        assert [tuple(row) for row in paid] == [(other, D(5)), (desk.account, D("12.5"))]
        split = announce(desk, SPLIT)
        await until(lambda: told(actions, split).failed == 2)
        assert {each.code for each in told(actions, split).failures} == {"traded_since"}
        # Their positions are as people have traded them: that goes on.
        assert (await desk.submit("buy", "1", limit="60")).status == "accepted"
    async with processor() as running:
        await desk.open_books()
        assert told(running.corporate_actions, late).effects == 2
        for account in (desk.account, other):
            assert BooksReader(desk.engine).check(account, "paper")[0] == []


def test_a_shard_that_only_looks_at_a_cancelled_split_pauses_nothing(desk: Desk) -> None:
    split, deployment = announce(desk, SPLIT), deploy(desk)
    change(desk, "UPDATE corporate_actions SET cancelled_at = now() WHERE id = :id", id=split)
    batch = ActionBatch()
    batch.looks.append(LookRecord(split, 0, SESSION))
    batch.outdated.append(Outdated(split, Symbol("SPY"), SESSION, "It was split."))
    with pytest.raises(DBAPIError, match="action_cancelled"), desk.engine.begin() as connection:
        write_actions(connection, 1, batch)
    assert desk.value("SELECT outdated_by FROM deployments WHERE id = :d", d=deployment) is None
    with desk.engine.connect() as connection:
        assert read_actions(connection, Known()).actions[split].void
