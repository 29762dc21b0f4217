"""A DAY order ends at the close of the session that it was accepted in."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from order_processor.settings import OrderProcessorSettings
from order_processor.shards.clock import nanoseconds
from order_processor.wiring import Wiring, wire
from shared.models.market import RunEnded
from shared.redis import tape
from shared.redis.keys import shard_of
from tests.order_processor.support import (
    SECOND_NS,
    Desk,
    Feed,
    ProcessorProcess,
    add_account,
    add_instrument,
    until,
)

Processor = Callable[[], AbstractAsyncContextManager[Wiring]]
Processes = Callable[..., ProcessorProcess]


def moment(said: str) -> datetime:
    return datetime.fromisoformat(said).astimezone(UTC)


def ns(said: str) -> int:
    return nanoseconds(moment(said))


async def ended(desk: Desk, order_id: object) -> None:
    await until(lambda: desk.status(order_id) == "expired")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exchange", "accepted", "close"),
    [
        pytest.param("XNYS", "2024-06-05T10:00-04:00", "2024-06-05T20:00-04:00", id="plain day"),
        pytest.param("XNYS", "2024-06-05T04:00-04:00", "2024-06-05T20:00-04:00", id="at the open"),
        pytest.param("XNYS", "2024-06-05T03:59-04:00", "2024-06-05T20:00-04:00", id="before it"),
        pytest.param("XNYS", "2024-06-05T20:00-04:00", "2024-06-06T20:00-04:00", id="at the close"),
        pytest.param("XNYS", "2024-11-29T09:00-05:00", "2024-11-29T17:00-05:00", id="half day"),
        pytest.param("XNYS", "2024-11-28T12:00-05:00", "2024-11-29T17:00-05:00", id="Thanksgiving"),
        pytest.param(
            "XNYS", "2024-01-13T12:00-05:00", "2024-01-16T20:00-05:00", id="holiday weekend"
        ),
        pytest.param("XNYS", "2024-03-08T21:00-05:00", "2024-03-11T20:00-04:00", id="clocks go on"),
        pytest.param(
            "XNYS", "2024-11-01T21:00-04:00", "2024-11-04T20:00-05:00", id="clocks go back"
        ),
        pytest.param("XLON", "2024-06-05T09:00+01:00", "2024-06-05T16:30+01:00", id="London"),
        pytest.param("24/7", "2024-06-02T05:00+00:00", "2024-06-03T00:00+00:00", id="24/7"),
    ],
)
async def test_it_works_until_the_close_and_never_fills_from_then_on(
    processor: Processor, desk: Desk, feed: Feed, exchange: str, accepted: str, close: str
) -> None:
    add_instrument(desk.engine, "X", exchange=exchange)
    async with processor():
        await feed.start(paced=True)
        feed.at_ns = ns(accepted) - SECOND_NS
        await feed.print(100.0, symbol="X")
        day = await desk.submit("buy", "1", limit="90", symbol="X", time_in_force="day")
        dear = await desk.submit("buy", "1", limit="95", symbol="X", time_in_force="day")
        gtc = await desk.submit("buy", "1", limit="80", symbol="X", time_in_force="gtc")
        feed.at_ns = ns(close) - 2 * SECOND_NS
        # The first print comes a second before the close, the second at it.
        await feed.print(95.0, 85.0, symbol="X")
        await ended(desk, day.id)
        assert desk.status(dear.id) == "filled"
        assert desk.status(gtc.id) == "accepted"
        await feed.print(79.0, symbol="X")
        await until(lambda: desk.status(gtc.id) == "filled")
    [row] = desk.rows("SELECT expires_at, updated_at FROM orders WHERE id = :id", id=day.id)
    assert (row.expires_at, row.updated_at) == (moment(close), moment(close))
    assert desk.value("SELECT count(*) FROM executions") == 2


async def test_a_mark_at_the_close_ends_it_without_a_print(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        feed.at_ns = ns("2024-06-05T15:00-04:00")
        await feed.mark(paced=True)
        day = await desk.submit("buy", "1", limit="90", time_in_force="day")
        gtc = await desk.submit("buy", "1", limit="90", time_in_force="gtc")
        feed.at_ns = ns("2024-06-05T20:00-04:00")
        await feed.mark(paced=True)
        await ended(desk, day.id)
        assert desk.status(gtc.id) == "accepted"


async def test_the_close_ends_it_also_when_the_process_died_before(
    processes: Processes, desk: Desk, feed: Feed
) -> None:
    process = processes()
    await feed.start(paced=True)
    feed.at_ns = ns("2024-11-29T12:00-05:00")
    await feed.print(100.0)
    day = await desk.insist(desk.command("buy", "1", limit="90", time_in_force="day"))
    gtc = await desk.insist(desk.command("buy", "1", limit="80", time_in_force="gtc"))
    process.kill()
    feed.at_ns = ns("2024-11-29T17:00-05:00") - SECOND_NS
    await feed.print(85.0)
    process.start()
    await ended(desk, day.id)
    assert desk.status(gtc.id) == "accepted"
    assert desk.value("SELECT count(*) FROM executions") == 0


async def test_without_a_run_the_clock_ends_it(
    processor_settings: OrderProcessorSettings, desk: Desk
) -> None:
    now = [moment("2024-06-05T19:59-04:00")]
    async with wire(processor_settings, wall=lambda: now[0]):
        day = await desk.submit("buy", "1", limit="90", time_in_force="day")
        gtc = await desk.submit("buy", "1", limit="90", time_in_force="gtc")
        # What a live market printed before the close may still come for a moment.
        now[0] = moment("2024-06-05T20:00:01-04:00")
        await desk.open_books()
        assert desk.status(day.id) == "accepted"
        tomorrow = await desk.submit("buy", "1", limit="90", time_in_force="day")
        now[0] = moment("2024-06-05T20:00:02-04:00")
        await desk.open_books()
        await ended(desk, day.id)
        assert desk.status(gtc.id) == desk.status(tomorrow.id) == "accepted"


async def test_the_clock_needs_neither_tape_nor_commands_also_after_a_restart(
    processor: Processor, desk: Desk
) -> None:
    async with processor():
        soon = await desk.submit("buy", "1", limit="90", time_in_force="day")
        later = await desk.submit("buy", "1", limit="90", time_in_force="day")
    close = datetime.now(UTC) - timedelta(seconds=1.5)
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE orders SET expires_at = :at WHERE id = :id"), {"at": close, "id": soon.id}
        )
    async with processor():
        await ended(desk, soon.id)
        assert desk.status(later.id) == "accepted"
    [row] = desk.rows("SELECT updated_at FROM orders WHERE id = :id", id=soon.id)
    assert row.updated_at >= close + timedelta(seconds=2)


async def test_the_clock_does_not_overtake_prints_that_wait_on_the_tape(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        day = await desk.submit("buy", "1", limit="90", time_in_force="day")
    close = datetime.now(UTC) - timedelta(minutes=1)
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET expires_at = :at"), {"at": close})
    feed.at_ns = nanoseconds(close) - 5 * SECOND_NS
    await feed.print(85.0)
    async with processor():
        await until(lambda: desk.status(day.id) == "filled")


async def test_in_a_run_on_virtual_time_the_clock_ends_nothing_until_the_run_is_over(
    processor: Processor, desk: Desk, feed: Feed, redis: Redis
) -> None:
    async with processor():
        await feed.start(paced=True)
        feed.at_ns = ns("2013-10-07T12:00-04:00")
        await feed.print(100.0)
        day = await desk.submit("buy", "1", limit="90", time_in_force="day")
        await feed.print(89.5)
        filled = await desk.submit("buy", "1", limit="89", time_in_force="day")
        await feed.print(88.0)
        await until(lambda: desk.status(filled.id) == "filled")
        assert desk.status(day.id) == "filled"
        left = await desk.submit("buy", "1", limit="50", time_in_force="day")
        await desk.open_books()
        assert desk.status(left.id) == "accepted"
        await tape.append(redis, [RunEnded(run_id=feed.run_id)])
        await ended(desk, left.id)


async def test_before_a_runs_first_print_its_day_is_not_known(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        refused = await desk.refused("buy", "1", limit="90", time_in_force="day")
        assert (refused.code, refused.limit) == ("time_in_force_not_available", "gtc")
        await feed.print(100.0)
        order = await desk.submit("buy", "1", limit="90", time_in_force="day")
        assert order.status == "accepted"


async def test_what_the_calendar_does_not_reach_is_refused(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    async with processor():
        await feed.start(paced=True)
        for year in (1990, datetime.now(UTC).year + 3):
            feed.at_ns = ns(f"{year}-06-05T12:00-04:00")
            await feed.print(100.0)
            refused = await desk.refused("buy", "1", limit="90", time_in_force="day")
            assert refused.code == "time_in_force_not_available"
    assert desk.value("SELECT count(*) FROM orders") == 0


async def test_an_instrument_that_moves_to_another_exchange_closes_with_it(
    processor: Processor, desk: Desk, feed: Feed
) -> None:
    add_instrument(desk.engine, "X", exchange="NOWHERE")
    async with processor():
        await feed.start(paced=True)
        feed.at_ns = ns("2024-06-05T12:00-04:00")
        await feed.print(100.0, symbol="X")
        for _ in range(2):
            refused = await desk.refused("buy", "1", limit="9", symbol="X", time_in_force="day")
            assert "NOWHERE" in refused.message
        with desk.engine.begin() as connection:
            connection.execute(text("UPDATE instruments SET exchange = 'XNYS'"))

        async def taken() -> bool:
            reply = await desk.ask(
                desk.command("buy", "1", limit="9", symbol="X", time_in_force="day")
            )
            return hasattr(reply, "order")

        await until(taken)
    assert desk.value("SELECT max(expires_at) FROM orders") == moment("2024-06-05T20:00-04:00")


async def test_while_a_calendar_is_built_other_shards_go_on(
    processor_settings: OrderProcessorSettings, desk: Desk, tmp_path: Path
) -> None:
    cold = processor_settings.model_copy(update={"calendar_folder": tmp_path / "cold"})
    here = shard_of(desk.account, 4)
    elsewhere = desk.account
    while shard_of(elsewhere, 4) == here:
        elsewhere = add_account(desk.engine)
    async with wire(cold):
        await desk.open_books(elsewhere)
        slow = asyncio.create_task(desk.submit("buy", "1", limit="1", time_in_force="day"))
        for _ in range(5):
            await desk.submit("buy", "1", limit="1", account=elsewhere)
        assert not slow.done()
        assert (await slow).status == "accepted"
    assert list((tmp_path / "cold").iterdir())
