"""Orders in regular and extended hours, and in auctions, from command to execution."""

from collections.abc import Callable
from datetime import UTC, datetime

from order_processor.shards.clock import nanoseconds
from tests.order_processor.support import SECOND_NS, Desk, Feed, ProcessorProcess, until

Processes = Callable[..., ProcessorProcess]


def ns(said: str) -> int:
    return nanoseconds(datetime.fromisoformat(said).astimezone(UTC))


async def test_orders_wait_for_their_hours_and_auctions_also_when_the_process_dies(
    processes: Processes, desk: Desk, feed: Feed
) -> None:
    """One day in New York; the process is killed before its auctions."""
    process = processes()
    await feed.start(paced=True)
    feed.at_ns = ns("2024-06-05T08:00-04:00")
    await feed.print(100.0)

    async def send(**more: object) -> object:
        return (await desk.insist(desk.command("buy", "1", **more))).id  # type: ignore[arg-type]

    opening = await send(time_in_force="opg")
    missed = await send(limit="90", time_in_force="opg")
    early = await send(limit="105", time_in_force="day", extended_hours=True)
    regular = await send(limit="105", extended_hours=False)
    day = await send(limit="50", time_in_force="day", extended_hours=False)
    closing = await send(limit="120", time_in_force="cls")
    cheap = await send(limit="10", time_in_force="cls")
    await feed.print(101.0, 102.0)
    await until(lambda: desk.status(early) == "filled")  # type: ignore[arg-type]
    assert {desk.status(each) for each in (opening, missed, regular)} == {"accepted"}  # type: ignore[arg-type]

    process.kill()
    feed.at_ns = ns("2024-06-05T09:30-04:00") - 2 * SECOND_NS
    await feed.print(95.0, 104.0)  # the second in regular hours
    process.start()
    await until(lambda: desk.status(opening) == "filled")  # type: ignore[arg-type]
    await until(lambda: desk.status(missed) == "cancelled")  # type: ignore[arg-type]

    process.kill()
    feed.at_ns = ns("2024-06-05T16:00-04:00") - 2 * SECOND_NS
    await feed.print(110.0, 130.0)  # the second at the close
    process.start()
    await until(lambda: desk.status(closing) == "filled")  # type: ignore[arg-type]
    await until(lambda: desk.status(cheap) == "cancelled")  # type: ignore[arg-type]
    await until(lambda: desk.status(day) == "expired")  # type: ignore[arg-type]
    rows = desk.rows("SELECT order_id, price, at FROM executions")
    paid = {row.order_id: (float(row.price), nanoseconds(row.at)) for row in rows}
    assert paid[opening] == (104.0, ns("2024-06-05T09:30-04:00"))
    assert paid[closing] == (110.0, ns("2024-06-05T16:00-04:00"))
    # The first print of its hours, not its limit: it had not rested before.
    assert paid[regular][0] == 104.0
    assert paid[early][0] == 101.0
    reasons = desk.rows("SELECT reason_code FROM orders WHERE status = 'cancelled'")
    assert [row.reason_code for row in reasons] == ["not_filled_in_auction"] * 2
