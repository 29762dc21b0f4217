"""The risk ladder in a shard: kill switches that act, and the trail of what was done."""

from uuid import uuid4

import msgspec
from redis.asyncio import Redis

from shared.models.orders import ClosePositions, OrderReply, OrdersReply
from shared.models.risk import EngageKillSwitch, Origin, ReleaseKillSwitch
from tests.order_processor.risk_support import (
    Processor,
    deploy,
    flat,
    hold,
    latched,
    risk,
    set_limits,
    stand,
    switch_platform,
    told,
)
from tests.order_processor.support import Desk, Feed, add_account, ledger_adds_up, until

# --- kill switches ---------------------------------------------------------------------------


async def test_the_accounts_kill_switch_cancels_refuses_and_lasts_until_it_is_released(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    deployment = deploy(desk)
    other = add_account(desk.engine)
    async with processor() as wiring:
        await hold(desk, feed)
        resting = await desk.submit("buy", "1", limit="50")
        reply = await risk(desk, EngageKillSwitch, reason="Lunch")
        assert reply.state.kill.by == "user:me"
        assert desk.status(resting.id) == "cancelled"
        assert desk.value("SELECT wanted FROM deployments WHERE id = :d", d=deployment) == "paused"
        again = await risk(desk, EngageKillSwitch, reason="Once more")
        assert again.state == reply.state
        assert wiring.snapshots.take(desk.account, "paper", "risk") == (1, reply.state)
    async with processor():
        assert (await desk.submit("buy", "1")).reason_code == "kill_switch_account"
        assert (await desk.submit("buy", "1", limit="9", account=other)).status == "accepted"
        flat = await desk.ask(_closing(desk))
        assert isinstance(flat, OrdersReply)
        assert flat.orders[0].status == "accepted"
        await risk(desk, ReleaseKillSwitch)
        assert (await desk.submit("buy", "1", limit="50")).status == "accepted"
        refused = await risk(desk, ReleaseKillSwitch)
        assert refused.code == "kill_switch_not_engaged"
        kinds = [each.event for each in await told(redis, desk)]
        assert kinds == ["kill_switch_engaged", "kill_switch_released"]


def _closing(desk: Desk) -> ClosePositions:
    return ClosePositions(
        request_id=uuid4().hex,
        reply_to=desk.requests.reply_to,
        account_id=desk.account,
        mode="paper",
        client_order_id="flat",
        submitted_by="user:me",
    )


async def test_a_kill_switch_that_flattens_closes_what_is_held(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await hold(desk, feed)
        await risk(desk, EngageKillSwitch, reason="Out", flatten=True)
        await feed.print(99.0)
        await until(lambda: flat(desk))
        ledger_adds_up(desk, [desk.account])


async def test_a_kill_switch_spares_the_orders_that_are_closing_positions(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await hold(desk, feed)
        await risk(desk, EngageKillSwitch, reason="Out", flatten=True)
        resting = await desk.submit("buy", "1", limit="50")
        assert resting.reason_code == "kill_switch_account"
        await risk(desk, ReleaseKillSwitch)
        resting = await desk.submit("buy", "1", limit="50")
        switch_platform(desk.engine, on=True)
        await until(lambda: desk.status(resting.id) == "cancelled")
        await feed.print(99.0)
        await until(lambda: flat(desk))
        ledger_adds_up(desk, [desk.account])


async def test_the_platforms_kill_switch_reaches_every_shard_once(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    accounts = [desk.account, *(add_account(desk.engine) for _ in range(5))]
    async with processor():
        await feed.print(100.0)
        for account in accounts:
            await desk.submit("buy", "10", account=account)
        await feed.print(100.0)
        resting = [await desk.submit("buy", "1", limit="50", account=each) for each in accounts]
        switch_platform(desk.engine, on=True, flatten=True)
        await until(lambda: all(desk.status(order.id) == "cancelled" for order in resting))
    closing = "SELECT count(*) FROM orders WHERE closes_position"
    assert desk.value(closing) == len(accounts)
    async with processor():  # it was carried out: a new owner does not do it again
        for account in accounts:
            order = await desk.submit("buy", "1", account=account)
            assert order.reason_code == "kill_switch_platform"
        assert desk.value(closing) == len(accounts)
        await feed.print(99.0)
        await until(lambda: flat(desk))
        switch_platform(desk.engine, on=False)
        await until(lambda: _accepted(desk))
    ledger_adds_up(desk, accounts)


async def _accepted(desk: Desk) -> bool:
    return (await desk.submit("buy", "1", limit="50")).status == "accepted"


# --- the audit trail -------------------------------------------------------------------------


async def test_every_command_leaves_a_trail_of_who_where_what_and_with_what_outcome(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    origin = Origin("192.0.2.7", "tests/1.0")
    async with processor():
        await feed.print(100.0)
        taken = desk.command("buy", "1", limit="90", origin=origin, client_order_id="a")
        order = await desk.ask(taken)
        assert isinstance(order, OrderReply)
        await desk.ask(msgspec.structs.replace(taken, request_id="again"))
        await desk.submit("buy", "10000", client_order_id="b")
        await desk.refused("buy", "0.5", client_order_id="c")
        await desk.refused("buy", "1", symbol="S\0Y", client_order_id="d" * 500)
        await desk.cancel(order.order.id)
        await desk.open_books()
        await stand(desk)
        await risk(desk, EngageKillSwitch, reason="Drill", origin=origin)
    rows = desk.rows("SELECT * FROM order_audit ORDER BY id")
    assert [(row.command, row.outcome, row.code) for row in rows] == [
        ("submit_order", "accepted", None),
        ("submit_order", "repeated", None),
        ("submit_order", "rejected", "insufficient_buying_power"),
        ("submit_order", "refused", "qty_not_in_lots"),
        ("submit_order", "refused", "invalid_client_order_id"),
        ("cancel_order", "accepted", None),
        ("engage_kill_switch", "accepted", None),
    ]
    first, lots = rows[0], rows[3]
    assert (first.account_id, first.mode, first.actor) == (
        desk.account,
        "paper",
        taken.submitted_by,
    )
    assert (first.ip, first.user_agent) == ("192.0.2.7", "tests/1.0")
    assert (first.order_id, first.client_order_id, first.symbol) == (order.order.id, "a", "SPY")
    assert first.detail["limit_price"] == "90"
    assert (lots.limit_value, lots.observed) == ("1", "0.5")


async def test_what_the_ladder_does_by_itself_is_on_the_trail_too(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    set_limits(desk.engine, "account", desk.account, max_loss="500")
    async with processor():
        await hold(desk, feed)
        await feed.print(90.0)
        await until(lambda: latched(desk))
    [row] = desk.rows("SELECT * FROM order_audit WHERE actor = 'risk'")
    assert (row.command, row.limit_value, row.observed) == ("loss_limit_latched", "500", "1000")
