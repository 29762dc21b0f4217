"""The risk ladder in a shard: limits that are stored, latches that last."""

import asyncio
import time
from decimal import Decimal

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from api_gateway.errors import Refused
from api_gateway.risk.following import Followers
from order_processor.settings import OrderProcessorSettings
from order_processor.wiring import wire
from shared.config import Settings
from shared.models.orders import Refusal
from shared.models.risk import AcknowledgeLoss, RiskReply
from tests.order_processor.risk_support import (
    Processes,
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
from tests.order_processor.support import (
    Desk,
    Feed,
    add_account,
    add_instrument,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)
from tests.order_processor.test_day_orders import ns

# --- limits ----------------------------------------------------------------------------------


async def test_a_new_limit_is_in_force_a_moment_after_it_was_stored(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        await desk.submit("buy", "11", limit="90")
        set_limits(desk.engine, "platform", max_order_value="1000")

        async def in_force() -> bool:
            return bool((await stand(desk)).limits)

        began = time.monotonic()
        await until(in_force)
        assert time.monotonic() - began < 5
        order = await desk.submit("buy", "12", limit="90")
        assert (order.status, order.reason_code) == ("rejected", "risk_order_value")
        assert order.reason is not None
        assert "platform" in order.reason
        set_limits(desk.engine, "platform")
        await until(lambda: _no_limits(desk))
        assert (await desk.submit("buy", "12", limit="90")).status == "accepted"


async def test_whoever_set_limits_is_answered_when_they_hold(
    processor_settings: OrderProcessorSettings, desk: Desk, feed: Feed, settings: Settings
) -> None:
    seldom = processor_settings.model_copy(update={"order_risk_refresh_s": 10.0})
    followers = Followers(desk.requests, settings.order_shards, 30)
    async with wire(seldom):
        await feed.print(100.0)
        resting = await desk.submit("buy", "11", limit="90")
        version = set_limits(desk.engine, "account", desk.account, max_order_value="1000")
        await followers.follow(version, [desk.account])
        assert (await desk.submit("buy", "12", limit="90")).reason_code == "risk_order_value"
        await followers.follow(switch_platform(desk.engine, on=True), None)
        assert desk.status(resting.id) == "cancelled"
        with pytest.raises(Refused) as unknown:
            await followers.follow(version + 1_000_000, [desk.account])
        assert unknown.value.code == "limits_not_confirmed"


async def _no_limits(desk: Desk) -> bool:
    return not (await stand(desk)).limits


async def test_limits_of_the_owner_the_account_and_the_deployment_are_found(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    owner = desk.value("SELECT owner_id FROM accounts WHERE id = :a", a=desk.account)
    deployment = deploy(desk)
    set_limits(desk.engine, "user", owner, max_open_orders=2)
    set_limits(desk.engine, "account", desk.account, max_orders_per_minute=3)
    set_limits(desk.engine, "account", add_account(desk.engine), max_open_orders=0)
    set_limits(desk.engine, "deployment", deployment, blocked_symbols=["SPY"])
    async with processor():
        await desk.submit("buy", "1", limit="90")
        mine = await desk.submit("buy", "1", limit="90", deployment_id=deployment)
        assert mine.reason_code == "risk_symbol"
        await desk.submit("buy", "1", limit="90")
        refused = await desk.refused("buy", "1", limit="90")
        assert (refused.code, refused.level) == ("risk_order_rate", "account")
        assert (refused.limit, refused.observed) == ("3", "4")
        uses = {use.kind: (use.level, use.limit, use.used) for use in (await stand(desk)).limits}
        assert uses == {
            "max_open_orders": ("user", "2", "2"),
            "max_orders_per_minute": ("account", "3", "3"),
        }


# --- the loss limit --------------------------------------------------------------------------


async def test_at_the_loss_limit_orders_end_strategies_pause_and_nothing_new_opens(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    deployment, stopped = deploy(desk), deploy(desk, wanted="stopped")
    set_limits(desk.engine, "account", desk.account, max_loss="500")
    async with processor():
        await hold(desk, feed)
        resting = await desk.submit("buy", "1", limit="50")
        await feed.print(95.01)
        assert not await latched(desk)
        await feed.print(95.0)
        await until(lambda: latched(desk))
        assert desk.status(resting.id) == "cancelled"
        wanted = dict(desk.rows("SELECT id, wanted FROM deployments"))
        assert wanted == {deployment: "paused", stopped: "stopped"}
        latch = (await stand(desk)).state.loss
        assert latch is not None
        assert (latch.limit, latch.observed, latch.level) == ("500", "500", "account")
        assert (await desk.submit("buy", "1")).reason_code == "loss_limit_latched"
        assert (await desk.submit("sell", "1")).status == "accepted"
        [event] = await told(redis, desk)
        assert (event.event, event.urgent, event.cancelled) == ("loss_limit_latched", True, 1)
        [notice] = desk.rows("SELECT n.*, a.owner_id FROM notifications n, accounts a")
        assert (notice.user_id, notice.account_id) == (notice.owner_id, desk.account)
        assert (notice.severity, notice.code) == ("critical", "loss_limit_latched")
        assert (notice.context["limit"], notice.context["observed"]) == ("500", "500")
        assert "500" in notice.text
        assert notice.read_at is None
    async with processor():
        assert (await desk.submit("buy", "1")).reason_code == "loss_limit_latched"
        await feed.print(200.0)
        assert await latched(desk), "a better price lets go of nothing"
        assert isinstance(await risk(desk, AcknowledgeLoss), RiskReply)
        assert (await desk.submit("buy", "1")).status == "accepted"
        again = await risk(desk, AcknowledgeLoss)
        assert isinstance(again, Refusal)
        assert again.code == "loss_limit_not_latched"
        assert desk.value("SELECT wanted FROM deployments WHERE id = :d", d=deployment) == "paused"
        assert [each.event for each in await told(redis, desk)][1:] == ["loss_limit_acknowledged"]


async def test_after_an_acknowledgement_the_loss_counts_anew(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    set_limits(desk.engine, "account", desk.account, max_loss="500")
    async with processor():
        await hold(desk, feed)
        await feed.print(94.0)
        await until(lambda: latched(desk))
        await risk(desk, AcknowledgeLoss)
        assert (await stand(desk)).loss == 0
        await feed.print(90.0)
        await until(lambda: _lost(desk, Decimal(400)))
        assert not await latched(desk)
        await feed.print(89.0)
        await until(lambda: latched(desk))


async def _lost(desk: Desk, loss: Decimal) -> bool:
    return (await stand(desk)).loss == loss


async def test_at_the_loss_limit_positions_are_closed_when_asked_for(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    add_instrument(desk.engine, "IBM")
    set_limits(desk.engine, "account", desk.account, max_loss="500", flatten_on_loss=True)
    async with processor():
        await hold(desk, feed)
        await feed.print(50.0, symbol="IBM")
        other = await desk.submit("buy", "10", symbol="IBM")
        await feed.print(50.0, symbol="IBM")
        await until(lambda: desk.status(other.id) == "filled")
    async with processor():  # which knows no instrument yet
        await feed.print(90.0)
        await until(lambda: latched(desk))
        await feed.print(89.0)
        await feed.print(49.0, symbol="IBM")
        await until(lambda: flat(desk))
        closing = desk.rows("SELECT * FROM orders WHERE closes_position ORDER BY symbol")
        assert [(row.symbol, row.submitted_by) for row in closing] == [
            ("IBM", "risk"),
            ("SPY", "risk"),
        ]
    ledger_adds_up(desk, [desk.account])


async def test_a_kill_between_the_trigger_and_the_commit_loses_no_latch_and_doubles_nothing(
    processes: Processes, desk: Desk, feed: Feed, redis: Redis
) -> None:
    set_limits(desk.engine, "account", desk.account, max_loss="500", flatten_on_loss=True)
    process = processes()
    await hold_through(desk, feed)
    resting = await desk.insist(desk.command("buy", "1", limit="50"))
    with desk.engine.begin() as blocker:
        # The shard sees the price and acts, and can't commit what it did.
        blocker.execute(text("LOCK TABLE account_risk IN EXCLUSIVE MODE"))
        await feed.print(90.0)
        await until(lambda: desk.value(_WAITING) > 0)
        process.kill()
    assert desk.status(resting.id) == "accepted"
    assert desk.value("SELECT count(*) FROM orders WHERE closes_position") == 0
    process.start()
    await until(lambda: desk.value("SELECT count(*) FROM orders WHERE closes_position") == 1)
    assert desk.status(resting.id) == "cancelled"
    rejected = await desk.insist(desk.command("buy", "1"))
    assert rejected.reason_code == "loss_limit_latched"
    await feed.print(89.0)
    await until(lambda: flat(desk))
    assert desk.value("SELECT count(*) FROM orders WHERE closes_position") == 1
    assert desk.value("SELECT count(*) FROM notifications") == 1
    await until(lambda: _published(redis, desk, 1))
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'account_risk'::regclass"


async def _published(redis: Redis, desk: Desk, count: int) -> bool:
    return len(await told(redis, desk)) == count


async def hold_through(desk: Desk, feed: Feed) -> None:
    await feed.print(100.0)
    order = await desk.insist(desk.command("buy", "100"))
    while desk.status(order.id) != "filled":
        await feed.print(100.0)
        await asyncio.sleep(0.02)


async def test_a_paced_run_latches_at_the_same_print_every_time(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    set_limits(desk.engine, "account", desk.account, max_loss="500")
    async with processor():
        await feed.start(paced=True)
        await feed.print(100.0)
        await feed.mark(paced=True)
        await until(lambda: _traded(desk))
        order = await desk.submit("buy", "100")
        await feed.print(100.0)
        resting = await desk.submit("buy", "1", limit="94.5")
        # Each of these is one entry: the order ends with the first, before the second comes.
        await feed.print(95.0)
        await feed.print(94.0)
        await until(lambda: desk.status(resting.id) == "cancelled")
        assert desk.status(order.id) == "filled"


async def _traded(desk: Desk) -> bool:
    return (await desk.submit("buy", "1", limit="1")).status == "accepted"


async def test_a_session_is_limited_by_itself_its_opening_gap_included(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    set_limits(desk.engine, "account", desk.account, max_session_loss="500")
    async with processor():
        await feed.start(paced=True)
        feed.at_ns = ns("2024-06-05T15:00-04:00")
        await feed.print(100.0)
        await feed.mark(paced=True)
        await until(lambda: _traded(desk))
        order = await desk.submit("buy", "100")
        await feed.print(100.0)
        await until(lambda: desk.status(order.id) == "filled")
        resting = await desk.submit("buy", "1", limit="50")
        await feed.print(96.0)
        feed.at_ns = ns("2024-06-06T09:30-04:00")
        # 400 were lost in the session before, 499 in this one.
        await feed.print(91.01)
        await until(lambda: _lost_in_session(desk, Decimal(499)))
        assert not await latched(desk)
        await feed.print(91.0)
        await until(lambda: latched(desk))
        assert desk.status(resting.id) == "cancelled"
    async with processor():
        state = (await stand(desk)).state
        assert state.loss is not None
        assert state.session is not None
        assert (state.loss.kind, state.loss.observed) == ("max_session_loss", "500")
        assert str(state.session.day) == "2024-06-06"
        assert (await desk.submit("buy", "1")).reason_code == "loss_limit_latched"
        await risk(desk, AcknowledgeLoss)
        assert (await stand(desk)).session_loss == 0
        assert (await desk.submit("buy", "1")).status == "accepted"


async def _lost_in_session(desk: Desk, loss: Decimal) -> bool:
    return (await stand(desk)).session_loss == loss


async def test_at_its_own_loss_limit_one_strategy_is_taken_out_and_nobody_else(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    lossy, other = deploy(desk), deploy(desk)
    set_limits(desk.engine, "deployment", lossy, max_loss="500", flatten_on_loss=True)
    async with processor():
        await feed.print(100.0)
        own = await desk.submit("buy", "100", deployment_id=lossy)
        await desk.submit("buy", "50")
        await feed.print(100.0)
        await until(lambda: desk.status(own.id) == "filled")
        mine = await desk.submit("buy", "1", limit="50", deployment_id=lossy)
        by_hand = await desk.submit("buy", "1", limit="50")
        await feed.print(95.0)
        await until(lambda: desk.status(mine.id) == "cancelled")
        assert desk.status(by_hand.id) == "accepted"
        wanted = dict(desk.rows("SELECT id, wanted FROM deployments"))
        assert wanted == {lossy: "paused", other: "running"}
    async with processor():
        await feed.print(94.0)
        await until(
            lambda: (
                desk.value(_OF_STRATEGY, d=str(lossy)) == 0
                and desk.value("SELECT qty FROM positions") == 50
            )
        )
        more = await desk.submit("buy", "1", deployment_id=lossy)
        assert more.reason_code == "loss_limit_latched"
        assert (await desk.submit("buy", "1", deployment_id=other)).status == "accepted"
        [use] = (await stand(desk)).deployments
        assert (use.deployment_id, use.limit, use.loss) == (lossy, 500, 600)
        reply = await risk(desk, AcknowledgeLoss, deployment_id=lossy)
        assert reply.deployments[0].loss == 0
        assert (await desk.submit("buy", "1", deployment_id=lossy)).status == "accepted"
        for deployment_id in (lossy, other):
            again = await risk(desk, AcknowledgeLoss, deployment_id=deployment_id)
            assert again.code == "loss_limit_not_latched"
        kinds = [(each.event, each.deployment_id) for each in await told(redis, desk)]
        assert kinds == [
            ("deployment_loss_latched", lossy),
            ("deployment_loss_acknowledged", lossy),
        ]
    ledger_adds_up(desk, [desk.account])


_OF_STRATEGY = "SELECT qty FROM strategy_positions WHERE owner = :d"
