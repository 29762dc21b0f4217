"""The runtime against real Postgres and Valkey, with an order desk and a tape of our own."""

import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine, text

from shared.models.orders import SubmitOrder
from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.conftest import open_account
from tests.strategy_workers.doubles import OrderDesk, TapeEngine, eventually
from tests.strategy_workers.platform_view import Platform, shape
from tests.strategy_workers.sample_strategies import SAMPLES, SEEN


@pytest.fixture(autouse=True)
def _forget() -> None:
    SEEN.clear()


async def test_a_deployment_runs_only_after_it_has_joined_the_tape(
    platform: Platform, worker_settings: StrategyWorkersSettings, desk: OrderDesk
) -> None:
    deployment = platform.deploy("scripted")
    assert platform.row(deployment).status == "starting"
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        assert f"deployment:{deployment}" in await platform.participants()


async def test_a_deployment_joins_the_tape_again_when_redis_has_lost_it(
    platform: Platform, worker_settings: StrategyWorkersSettings, desk: OrderDesk
) -> None:
    deployment = platform.deploy("scripted")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await platform.redis.flushall()

        async def joined() -> bool:
            return f"deployment:{deployment}" in await platform.participants()

        await eventually(joined, "it takes part again")


async def test_candles_lead_to_orders_and_fills_are_told_before_the_next_candle(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("scripted")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.play("SPY", [100, 101, 102, 103])
    assert SEEN == [
        "candle SPY 100",
        "candle SPY 101",
        "order accepted 0 10000",
        "order filled 1 9898",
        "candle SPY 102",
        "candle SPY 103",
    ]
    [command] = desk.commands
    assert isinstance(command, SubmitOrder)
    assert (command.side, command.qty, command.deployment_id) == ("buy", 1, deployment)
    [signal] = platform.signals(deployment)
    assert (signal.seq, signal.symbol, signal.side, signal.reason) == (
        1,
        "SPY",
        "buy",
        "it is time",
    )
    assert platform.row(deployment).signals == 1


async def test_other_symbols_and_timeframes_are_not_heard(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("scripted", ("QQQ",))
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start()
        for prices, timeframe in (
            ({"SPY": 1.0}, "1m"),
            ({"QQQ": 2.0}, "5m"),
            ({}, "1m"),
            ({"SPY": 3.0, "QQQ": 4.0}, "1m"),
        ):
            await market.slice(prices, timeframe)
            await market.wait()
    assert SEEN == ["candle QQQ 4"]


async def test_an_exception_pauses_that_deployment_alone_and_the_run_goes_on(
    platform: Platform,
    engine: Engine,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    faulty = platform.deploy("faulty")
    unstorable = platform.deploy("unstorable")
    good = platform.deploy("scripted", at=3)
    async with running_worker(worker_settings, SAMPLES):
        for deployment in (faulty, unstorable, good):
            await platform.reaches(deployment, "running")
        await market.play("SPY", [100, 101, 102, 103])
        paused = await platform.reaches(faulty, "paused")
        assert paused.last_error is not None
        assert "RuntimeError: that was too much" in paused.last_error
        assert "is a set, which JSON can't hold" in str(platform.row(unstorable).last_error)
        with engine.connect() as connection:
            notices = connection.execute(
                text("SELECT * FROM notifications WHERE deployment_id = :id"), {"id": faulty}
            ).all()
        assert [(each.code, each.severity) for each in notices] == [("strategy_failed", "critical")]
        assert notices[0].text.endswith("failed: RuntimeError: that was too much")
        assert notices[0].context["traceback"] == paused.last_error
        assert platform.row(good).status == "running"
        assert await platform.participants() == {f"deployment:{good}"}
        # Neither order of the two that were paused was sent.
        assert [command.deployment_id for command in desk.commands] == [good]
        platform.stop(faulty)
        await platform.reaches(faulty, "stopped")


async def test_stopping_cancels_working_orders_and_lets_last_words_stand(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("resting")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start()
        for price in (100.0, 101.0):
            await market.slice({"SPY": price})
            await market.wait()
        platform.stop(deployment)
        await platform.reaches(deployment, "stopped")
        assert await platform.participants() == set()
        statuses = {(order.side, order.type): order.status for order in desk.orders.values()}
        assert statuses == {
            ("buy", "market"): "filled",
            ("buy", "limit"): "cancelled",
            ("sell", "market"): "accepted",
        }
        assert [signal.reason for signal in platform.signals(deployment)][-1] == "the end"
        # The run doesn't wait for it any more.
        await market.slice({"SPY": 102.0})
        await market.wait()


async def test_a_deployment_that_was_never_taken_up_can_be_stopped(
    platform: Platform, worker_settings: StrategyWorkersSettings, desk: OrderDesk
) -> None:
    deployment = platform.deploy("scripted")
    platform.stop(deployment)
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "stopped")
    assert desk.commands == []


async def test_an_order_is_moved_by_replacing_it_until_it_fills_also_when_an_answer_is_lost(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("chasing")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start()
        for price in (100.0, 102.0, 104.0, 103.0):
            desk.lose_answers = int(price == 104.0)
            await market.slice({"SPY": price})
            await market.wait()
    assert [(str(order.limit_price), order.status) for order in desk.orders.values()] == [
        ("99.0", "replaced"), ("101.0", "replaced"), ("103.0", "filled"),
    ]  # fmt: skip
    assert {order.deployment_id for order in desk.orders.values()} == {deployment}
    kinds = [type(command).__name__ for command in desk.commands]
    assert kinds == ["SubmitOrder", "ReplaceOrder", "ReplaceOrder", "ReplaceOrder"]
    assert SEEN.count("order filled") == 1


async def test_a_lost_answer_is_asked_for_again_under_the_same_order_id(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("scripted")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        desk.lose_answers = 2
        await market.play("SPY", [100, 101, 102])
    assert len(desk.commands) == 3
    assert len(desk.orders) == 1


async def test_a_refused_order_is_told_at_the_next_mark(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("scripted")
    desk.refuse_symbol = "SPY"
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start()
        for prices in ({"SPY": 100.0}, {"SPY": 101.0}, {}):
            await market.slice(prices)
            await market.wait()
    assert SEEN[-1] == "order refused 0 10000"


async def test_a_run_that_starts_clears_the_market_view_and_keeps_the_positions(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    deployment = platform.deploy("flipping")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.play("SPY", [100, 101, 102, 103])
        ordered = len(desk.commands)
        # The average needs three candles again.
        await market.play("SPY", [200, 201])
        assert ordered == len(desk.commands) == 1
        # It still knows that it holds something: it closes, and doesn't buy.
        await market.play("SPY", [300, 301, 302])
    assert [command.side for command in desk.commands if isinstance(command, SubmitOrder)] == [
        "buy",
        "sell",
    ]


async def test_a_deployment_may_join_in_the_middle_of_a_run(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    await market.start()
    for price in (100.0, 101.0):
        await market.slice({"SPY": price})
    async with running_worker(worker_settings, SAMPLES):
        deployment = platform.deploy("scripted")
        await platform.reaches(deployment, "running")
        # The engine may be waiting for everybody at this very mark.
        await market.wait()
        await market.slice({"SPY": 102.0})
        await market.wait()
    assert SEEN == ["candle SPY 102"]


async def test_events_that_the_buffers_have_lost_come_from_the_outbox(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    redis: Redis,
) -> None:
    deployment = platform.deploy("scripted")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start()
        await market.slice({"SPY": 100.0})
        await market.wait()
        desk.publish = False
        for price in (101.0, 102.0):
            await market.slice({"SPY": price})
            await market.wait()
        # What comes next shows that something is missing.
        desk.publish = True
        other = platform.deploy("scripted", ("SPY",), at=1)
        await platform.reaches(other, "running")
        for price in (103.0, 104.0, 105.0):
            await market.slice({"SPY": price})
            await market.wait()
    told = [line for line in SEEN if line.startswith("order")]
    assert told.count("order filled 1 9898") == 1
    assert "order filled 2 9794" in told


async def test_a_fill_is_told_also_when_redis_has_lost_all_buffers_since(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    redis: Redis,
) -> None:
    deployment = platform.deploy("scripted")
    async with running_worker(worker_settings, SAMPLES):
        await platform.reaches(deployment, "running")
        await market.start()
        for price in (100.0, 101.0):
            await market.slice({"SPY": price})
            await market.wait()
        desk.publish = False
        await market.slice({"SPY": 102.0})
        await market.wait()
        assert SEEN[-2:] == ["order accepted 0 10000", "candle SPY 102"]
        for buffer in await redis.keys("topic:*:buffer"):
            await redis.delete(buffer)

        async def told() -> bool:
            await market.slice({"SPY": 103.0})
            await market.wait()
            return "order filled 1 9898" in SEEN

        await eventually(told, "the fill is told")


async def test_the_same_tape_gives_the_same_commands(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
    engine: Engine,
) -> None:
    prices = [100 + (7 * n) % 11 for n in range(40)]
    outcomes = []
    async with running_worker(worker_settings, SAMPLES):
        for name in ("first", "second"):
            began = len(desk.commands)
            deployment = platform.deploy("flipping", account=open_account(engine, name))
            await platform.reaches(deployment, "running")
            await market.play("SPY", prices)
            outcomes.append([shape(command) for command in desk.commands[began:]])
            platform.stop(deployment)
            await platform.reaches(deployment, "stopped")
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) > 10


async def test_those_that_can_not_start_hold_up_none_of_the_others(
    platform: Platform,
    worker_settings: StrategyWorkersSettings,
    desk: OrderDesk,
    market: TapeEngine,
) -> None:
    other = open_account(platform.engine, "other")
    good = [platform.deploy("scripted", at=1, account=one) for one in (platform.account, other)]
    bad = platform.deploy("tunable", period=13)
    good += [platform.deploy("scripted", at=1, account=other) for _ in range(3)]
    async with running_worker(worker_settings, SAMPLES):
        for one in good:
            await platform.reaches(one, "running")
        row = await platform.reaches(bad, "paused")
        await market.play("SPY", [100.0, 101.0])
    assert "not with 13" in (row.last_error or "")
    assert len(desk.commands) == len(good)
    assert {command.account_id for command in desk.commands} == {platform.account, other}
