"""What survives when processes, connections and messages fail."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import Engine, text

from order_processor.errors import CursorMovedError
from order_processor.settings import OrderProcessorSettings
from order_processor.shards.batch import Batch, MarketRecords
from order_processor.shards.journal import Journal
from order_processor.wiring import Wiring, wire
from shared.database.leases import LeaseLostError
from shared.models.base import encode
from shared.models.orders import Order, OrderReply, ReplaceOrder
from shared.models.topics import account_topic
from shared.redis import tape
from shared.redis.keys import order_commands, shard_of, topic_buffer
from shared.redis.requests import OrderRequests
from shared.redis.topics import frames_after, last_seq
from shared.trading.changes import order_id_of
from shared.trading.paper_terms import parse_paper_terms
from shared.utils.tasks import end_tasks
from tests.order_processor.support import (
    Desk,
    Feed,
    ProcessorProcess,
    add_account,
    all_published,
    frames_are_gap_free,
    ledger_adds_up,
    until,
)

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
_NO_MARKET = MarketRecords(False, [], [], None)
Processes = Callable[..., ProcessorProcess]


async def test_nothing_is_answered_before_it_is_committed(processor: Processor, desk: Desk) -> None:
    async with processor():
        await desk.submit("buy", "1", limit="1")
        with desk.engine.begin() as blocker:
            blocker.execute(text("LOCK TABLE orders IN SHARE MODE"))
            asking = asyncio.create_task(desk.submit("buy", "1", limit="1", client_order_id="x"))
            await asyncio.wait([asking], timeout=0.3)
            assert not asking.done()
        order = await asking
        assert desk.status(order.id) == "accepted"


async def test_after_a_kill_no_acknowledged_order_is_missing_and_none_is_doubled(
    processes: Processes, desk: Desk, feed: Feed, redis: Redis
) -> None:
    accounts = [desk.account, *(add_account(desk.engine) for _ in range(5))]
    process = processes()
    await feed.print(100.0)
    answered: list[Order] = []

    async def trade(number: int) -> None:
        command = desk.command(
            "buy", "1", account=accounts[number % len(accounts)], client_order_id=f"o{number}"
        )
        order = await desk.insist(command)
        answered.append(order)
        assert desk.status(order.id) is not None, "answered, and not stored"

    async def print_on() -> None:
        while True:
            await feed.print(100.0, 101.0)
            await asyncio.sleep(0.01)

    printing = asyncio.create_task(print_on())
    await desk.insist(desk.command("buy", "1", limit="1"))
    traders = [asyncio.create_task(trade(number)) for number in range(300)]
    await until(lambda: len(answered) >= 60)
    process.kill()
    process.start()
    await asyncio.gather(*traders)
    await until(lambda: desk.value("SELECT count(*) FROM orders WHERE status = 'filled'") == 300)
    await end_tasks([printing])

    stored = {row.id: row for row in desk.rows("SELECT * FROM orders")}
    assert {order.id for order in answered} <= set(stored)
    assert len(stored) == 301
    assert desk.value("SELECT count(*) FROM executions") == 300
    ledger_adds_up(desk, accounts)
    frames_are_gap_free(desk)
    await until(lambda: all_published(desk, redis))


async def test_a_message_that_comes_twice_is_one_order(
    processor: Processor, desk: Desk, redis: Redis
) -> None:
    command = desk.command("buy", "1", limit="1")
    stream = order_commands(shard_of(desk.account, 4))
    for _ in range(3):
        await redis.xadd(stream, {"b": encode(command)})
    async with processor():
        await desk.ask(command)
        reply = await desk.ask(msgspec.structs.replace(command, request_id="again"))
        assert isinstance(reply, OrderReply)
        assert reply.repeated
    assert desk.value("SELECT count(*) FROM orders") == 1
    assert desk.value("SELECT count(*) FROM order_transitions") == 2


async def test_an_owner_that_slept_through_its_lease_writes_nothing(
    processes: Processes, processor: Processor, desk: Desk, feed: Feed
) -> None:
    sleeper = processes()
    await desk.insist(desk.command("buy", "1", limit="1"))
    await feed.print(100.0)
    sleeper.signal(signal.SIGSTOP)
    command = desk.command("buy", "1", limit="1", client_order_id="while-asleep")
    async with processor():
        order = await desk.insist(command)
        assert len(_owners(desk)) == 1
        sleeper.signal(signal.SIGCONT)
        await desk.insist(desk.command("buy", "2", limit="1"))
        assert await desk.insist(command) == order
    assert desk.value("SELECT count(*) FROM orders") == 3
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


def _owners(desk: Desk) -> set[str]:
    rows = desk.rows("SELECT owner FROM leases WHERE kind = 'order_shard'")
    return {row.owner for row in rows}


async def test_a_stale_owners_commit_changes_nothing(engine: Engine, desk: Desk) -> None:
    old, new = (Journal(engine, 0, 4, 0.0) for _ in range(2))
    try:
        lease = await old.acquire("old")
        assert lease is not None
        before = (await old.load(lease)).cursors
        after = msgspec.structs.replace(before, tape="9-9")
        fresh = await until(lambda: new.acquire("new"))
        with pytest.raises(LeaseLostError):
            await old.commit(lease, Batch(0, {}), _NO_MARKET, before, after)
        assert (await new.load(fresh)).cursors == before
        await new.commit(fresh, Batch(0, {}), _NO_MARKET, before, after)
        with pytest.raises(CursorMovedError):
            await new.commit(fresh, Batch(0, {}), _NO_MARKET, before, after)
    finally:
        old.close()
        new.close()


async def test_a_new_owner_publishes_what_its_predecessor_left(
    processor: Processor, desk: Desk, redis: Redis
) -> None:
    async with processor():
        for _ in range(3):
            await desk.submit("buy", "1", limit="1")
    topic = account_topic(desk.account, "paper", "orders")
    before = await frames_after(redis, topic, 0)
    assert before is not None
    assert len(before) == 3
    await redis.delete(topic_buffer(topic))
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE order_shards SET published_seq = 1"))
    async with processor():
        await until(lambda: _reaches(redis, topic, 3))
    after = await frames_after(redis, topic, 1)
    assert after == before[1:]


async def _reaches(redis: Redis, topic: str, seq: int) -> bool:
    return await last_seq(redis, topic) >= seq


async def test_on_sigterm_the_leases_go_back_at_once(
    processes: Processes, processor: Processor, desk: Desk
) -> None:
    first = processes(LEASE_DURATION_S="60")
    order = await desk.insist(desk.command("buy", "1", limit="1"))
    first.signal(signal.SIGTERM)
    first.wait()
    assert desk.value("SELECT count(*) FROM leases WHERE kind = 'order_shard' AND owner = ''") == 4
    async with processor():
        successor = await desk.submit("buy", "1", limit="1")
    assert successor.seq == order.seq + 1


async def test_lost_connections_cost_time_and_nothing_else(
    processor: Processor, desk: Desk, redis: Redis, engine: Engine
) -> None:
    async with processor():
        for number in range(3):
            await desk.insist(desk.command("buy", "1", limit="1", client_order_id=f"a{number}"))
            with engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            engine.dispose()
        await desk.insist(desk.command("buy", "1", limit="1", client_order_id="last"))
    assert desk.value("SELECT count(*) FROM orders") == 4
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


async def test_a_failing_commit_is_taken_back_and_done_again(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    """The database refuses the first fill; the memory must not keep it."""
    with desk.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE SEQUENCE attempts; CREATE FUNCTION refuse_first() RETURNS trigger AS $$"
                " BEGIN IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'no'; END IF;"
                " RETURN NEW; END $$ LANGUAGE plpgsql;"
                "CREATE TRIGGER refuse BEFORE INSERT ON executions"
                " FOR EACH ROW EXECUTE FUNCTION refuse_first()"
            )
        )
    async with processor():
        await feed.print(100.0)
        order = await desk.submit("buy", "10")
        await feed.print(101.0)
        await until(lambda: desk.status(order.id) == "filled")
    assert desk.value("SELECT last_value FROM attempts") == 2
    assert desk.value("SELECT count(*) FROM executions") == 1
    ledger_adds_up(desk, [desk.account])
    frames_are_gap_free(desk)


# --- paced runs ------------------------------------------------------------------------------

_SLICES = 16
#: Orders fill in parts, and the account's month counts.
_TERMS = parse_paper_terms(
    {
        "commission": {
            "model": "tiered",
            "per": "month",
            "tiers": [{"from_value": "0", "bps": "10"}, {"from_value": "3000", "bps": "3.3"}],
        },
        "slippage": {"model": "square_root", "bps": "5"},
        "participation_percent": "50",
    }
)
_PRICES = [100 + ((number * 7919) % 41) / 10 for number in range(_SLICES * 5)]


async def _play(
    desk: Desk, redis: Redis, disturb: Callable[[int], object] = lambda _: None
) -> list[tuple[str, str, Decimal, Decimal, Decimal, object]]:
    """One paced run: the engine waits for the shards, a strategy trades on each slice."""
    feed = Feed(redis)
    account = add_account(desk.engine, paper=_TERMS)
    always = {f"orders:{shard}": "market" for shard in range(4)}
    pacer = tape.Pacer(redis, always=always)  # type: ignore[arg-type]
    await feed.start(paced=True)
    await pacer.begin(feed.run_id)
    for number in range(_SLICES):
        disturb(number)
        await feed.print(*_PRICES[number * 5 : number * 5 + 5], size=8.0)
        mark = await feed.mark(paced=True)
        await asyncio.wait_for(pacer.wait("market", mark.number), 30)
        await feed.mark(paced=True, phase="strategy")
        for command in _decisions(desk, account, number):
            await desk.insist(command)
        await pacer.trim()
    await feed.end()
    return [
        tuple(row)
        for row in desk.rows(
            "SELECT o.client_order_id, e.side, e.qty, e.price, e.fee, e.at FROM executions e"
            " JOIN orders o ON o.id = e.order_id WHERE e.account_id = :a ORDER BY e.seq",
            a=account,
        )
    ]


def _decisions(desk: Desk, account: object, number: int) -> list[object]:
    def order(side: str, qty: str, limit: str | None, name: str, **more: object) -> object:
        return desk.command(
            side, qty, limit=limit, account=account, client_order_id=f"{number}-{name}", **more
        )

    decided = [order("buy", "10", None, "market")]
    if number % 3 == 0:
        decided.append(order("buy", "5", f"{99 + number % 4}.5", "resting"))
    if number % 2 == 1:
        decided.append(order("sell", "7", f"{101 + number % 3}.3", "sell"))
    decided += _stops(order, number)
    if number == 11:
        decided.append(
            ReplaceOrder(
                request_id=f"{account}-r",
                reply_to=desk.requests.reply_to,
                account_id=account,  # type: ignore[arg-type]
                mode="paper",
                order_id=order_id_of(account, "paper", "1-bid"),  # type: ignore[arg-type]
                client_order_id="11-moved",
                submitted_by="user:1",
                limit_price=Decimal("103.5"),
            )
        )
    return decided


def _stops(order: Callable[..., object], number: int) -> list[object]:
    """Working over many slices, so that kills find them waiting, triggered, and trailing."""
    if number == 1:
        return [
            order("sell", "3", None, "trail", order_type="trailing_stop", trail_percent="2.6"),
            order("buy", "3", None, "up", order_type="stop", stop_price="103.9"),
            order("buy", "2", "100.4", "rest", order_type="stop_limit", stop_price="103.8"),
            order("buy", "1", "50", "bid"),
        ]
    if number % 4 == 2:
        return [
            order("sell", "1", None, "tight", order_type="trailing_stop", trail_price="0.9"),
            order("buy", "1", "101.2", "ioc", time_in_force="ioc"),
        ]
    return []


async def test_a_run_with_kills_gives_the_executions_of_an_undisturbed_one(
    processes: Processes, desk: Desk, redis: Redis
) -> None:
    process = processes(ORDER_CURSOR_INTERVAL_S="0.05")
    undisturbed = await _play(desk, redis)
    assert len(undisturbed) > 20
    names = [row[0] for row in undisturbed]
    assert {"1-trail", "1-up", "1-rest", "11-moved"} <= set(names)
    assert len(names) > len(set(names)) + 10, "orders fill in parts"

    def kill_sometimes(number: int) -> None:
        if number in {3, 11}:
            process.kill()
            process.start()

    assert await _play(desk, redis, kill_sometimes) == undisturbed
    frames_are_gap_free(desk)


async def test_a_mark_that_was_done_but_not_acknowledged_is_acknowledged_by_the_successor(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    pacer = tape.Pacer(redis, always={f"orders:{shard}": "market" for shard in range(4)})
    async with processor():
        await feed.start(paced=True)
        await pacer.begin(feed.run_id)
        await feed.print(100.0)
        await feed.mark(paced=True)
        await asyncio.wait_for(pacer.wait("market", 1), 5)
    # As if the process had died between its commit and the acknowledgement.
    await redis.delete("tape:{0}:acks")
    await pacer.begin(feed.run_id)
    assert len(await pacer.missing("market", 1)) == 4
    async with processor():
        await asyncio.wait_for(pacer.wait("market", 1), 5)


async def test_a_mark_of_a_run_that_is_over_is_not_acknowledged_for_the_next(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    pacer = tape.Pacer(redis, always={f"orders:{shard}": "market" for shard in range(4)})
    async with processor():
        await feed.start(paced=True)
        await feed.mark(paced=True)
        await until(lambda: _marks_stored(desk, 1))
    await feed.start(paced=True)
    await pacer.begin(feed.run_id)
    async with processor():
        await until(lambda: _marks_stored(desk, 0))
        order = await desk.submit("buy", "1", limit="1")
        assert order.status == "accepted"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pacer.wait("market", 1), 0.4)
        assert len(await pacer.missing("market", 1)) == 4


def _marks_stored(desk: Desk, number: int) -> bool:
    rows = desk.rows("SELECT mark_number FROM order_shards")
    return len(rows) == 4 and all(row.mark_number == number for row in rows)


async def test_an_order_that_has_seen_a_print_fills_at_its_limit_also_after_a_restart(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.print(100.0)
        resting = await desk.submit("buy", "1", limit="95")
        await feed.print(99.0)
        fresh = await desk.submit("buy", "1", limit="96")
    async with processor():
        await feed.print(90.0)
        await until(lambda: desk.status(fresh.id) == "filled")
        assert desk.status(resting.id) == "filled"
    prices = {
        row.order_id: row.price for row in desk.rows("SELECT order_id, price FROM executions")
    }
    assert prices == {resting.id: 95, fresh.id: 90}


async def test_a_command_that_makes_the_code_fail_is_refused_and_the_shard_goes_on(
    processor: Processor, desk: Desk, engine: Engine
) -> None:
    """An instrument whose tick can't divide must not be in the catalogue; here it is."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE instruments DROP CONSTRAINT ck_instruments_tick_size"))
        connection.execute(
            text(
                "INSERT INTO instruments VALUES ('BAD', 'BAD', 'XNYS', 'USD', 0, 1, true, true, 0,"
                " now())"
            )
        )
    async with processor():
        bad = await desk.refused("buy", "1", limit="5", symbol="BAD")
        assert bad.code == "internal_error"
        assert (await desk.submit("buy", "1", limit="5")).status == "accepted"
    assert desk.value("SELECT count(*) FROM orders") == 1


async def test_commands_are_not_held_up_by_a_tape_that_was_lost(
    processor: Processor, desk: Desk, redis: Redis, engine: Engine
) -> None:
    # The tape ends beyond what the shards have read, and then loses that.
    await redis.xadd("tape:{0}", {"k": "candles", "b": b"{}"}, id="99999999999999-0")
    async with processor():
        await until(lambda: _cursors_are(desk, "99999999999999-0"))
        with engine.begin() as connection:
            connection.execute(text("UPDATE order_shards SET tape_cursor = '1-0'"))
    await redis.delete("tape:{0}")
    async with processor():
        assert (await desk.submit("buy", "1", limit="1")).status == "accepted"


def _cursors_are(desk: Desk, cursor: str) -> bool:
    return desk.value("SELECT min(tape_cursor) FROM order_shards") == cursor


async def test_an_order_that_moves_to_another_shard_does_not_meet_prints_from_before_it(
    processor_settings: OrderProcessorSettings, desk: Desk, feed: Feed, redis: Redis
) -> None:
    more = processor_settings.model_copy(update={"order_shards": 8})
    while shard_of(desk.account, 4) == shard_of(desk.account, 8):
        desk.account = add_account(desk.engine)
    async with wire(processor_settings):
        await feed.start()
        await feed.print(90.0, 100.0)
        resting = await desk.submit("buy", limit="95")
    requests = OrderRequests(redis, 8)
    async with wire(more), requests.listening():
        await feed.print(101.0)
        desk.requests = requests
        # Answered when the tape so far was applied.
        await desk.refused("buy", symbol="NONE")
        assert desk.status(resting.id) == "accepted"
        await feed.print(94.0)
        await until(lambda: desk.status(resting.id) == "filled")
    # Not at the print's price: it had seen one before.
    assert desk.value("SELECT price FROM executions") == 95
