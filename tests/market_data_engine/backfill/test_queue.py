"""The queue of data jobs and the cursors, in Postgres."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from market_data_engine.backfill import cursors, repository
from market_data_engine.backfill.queue import JobQueue, QueueFullError
from market_data_engine.backfill.repository import NewJob, moment
from market_data_engine.backfill.schemas import Job, JobKind
from market_data_engine.feeds.presence import Span
from market_data_engine.providers.configuration import Tier
from shared.candles.timeframes import MINUTE_NS
from shared.database import DatabaseThread
from shared.database.tables import utc_now

AT_NS = 1_767_623_400_000_000_000


@pytest.fixture
async def queue(engine: Engine) -> AsyncIterator[JobQueue]:
    thread = DatabaseThread("tests-jobs")
    yield JobQueue(engine, thread, {"T0": 2, "T1": 3, "T2": 4})
    thread.close()


def new(
    number: int = 0, tier: Tier = "T0", kind: JobKind = "backfill", symbol: str = "SPY"
) -> NewJob:
    from_ns = AT_NS + number * MINUTE_NS
    return NewJob(kind, tier, symbol, Span(from_ns, from_ns + MINUTE_NS), "user:1")


async def claimed(queue: JobQueue, tier: Tier = "T0") -> Job:
    job = await queue.transact(lambda connection: repository.claim(connection, tier, utc_now()))
    assert job is not None
    return job


async def dead(queue: JobQueue, number: int = 0, tier: Tier = "T0") -> Job:
    await queue.add([new(number, tier)])
    job = await claimed(queue, tier)
    await queue.transact(
        lambda connection: repository.bury(connection, job, 3, "No use.", utc_now())
    )
    found = await queue.find(job.id)
    assert found is not None
    return found


async def test_the_same_work_waits_once_and_again_when_it_is_done(queue: JobQueue) -> None:
    assert await queue.add([new(0, "T2")]) == 1
    assert await queue.add([new(0, "T2"), new(1, "T2")]) == 1
    job = await claimed(queue, "T2")
    assert await queue.add([new(0, "T2")]) == 0  # it is under way
    await queue.transact(
        lambda connection: repository.finish(connection, job, "alpaca", 1, utc_now())
    )
    assert await queue.add([new(0, "T2")]) == 1


async def test_a_full_tier_takes_all_or_nothing_and_others_go_on(queue: JobQueue) -> None:
    await queue.add([new()])
    with pytest.raises(QueueFullError, match="2 jobs of T0"):
        await queue.add([new(1), new(2)])
    assert await queue.add([new(1)]) == 1
    assert await queue.add([new(2, "T1")]) == 1


async def test_jobs_are_taken_by_tier_when_they_are_due_the_longest_waiting_first(
    queue: JobQueue,
) -> None:
    await queue.add([new(0), new(1)])
    await queue.add([new(2, "T1")])
    first = await claimed(queue)
    later = utc_now() + timedelta(hours=1)
    await queue.transact(
        lambda connection: repository.postpone(connection, first.id, 1, later, "Nobody.", utc_now())
    )
    second = await claimed(queue)
    assert {first.start, second.start} == {moment(AT_NS), moment(AT_NS + MINUTE_NS)}
    assert (
        await queue.transact(lambda connection: repository.claim(connection, "T0", utc_now()))
        is None
    )
    assert (await claimed(queue, "T1")).tier == "T1"
    found = await queue.find(first.id)
    assert found is not None
    assert (found.status, found.attempts, found.problem) == ("queued", 1, "Nobody.")


async def test_what_an_engine_that_is_gone_had_begun_is_begun_again(queue: JobQueue) -> None:
    await queue.add([new()])
    job = await claimed(queue)
    await queue.transact(repository.release_running)
    assert (await claimed(queue)).id == job.id


async def test_dead_jobs_are_listed_put_back_and_removed(queue: JobQueue) -> None:
    one, other = await dead(queue, 0), await dead(queue, 1, "T1")
    assert (one.attempts, one.problem) == (3, "No use.")
    listed = await queue.listed("dead", None, None, 1)
    assert [job.id for job in listed.items] == [other.id]
    assert listed.next_cursor is not None
    at, job_id = listed.next_cursor.split("_")
    before = (datetime.fromisoformat(at), type(one.id)(job_id))
    assert [job.id for job in (await queue.listed("dead", None, before, 5)).items] == [one.id]
    assert [job.id for job in (await queue.listed("dead", "T0", None, 5)).items] == [one.id]
    assert await queue.requeue(None, "T1") == 1
    assert await queue.requeue(other.id, None) == 0  # it isn't dead any more
    back = await queue.find(other.id)
    assert back is not None
    assert (back.status, back.attempts) == ("queued", 0)
    assert await queue.remove_dead(one.id)
    assert not await queue.remove_dead(one.id)
    assert not await queue.remove_dead(other.id)


async def test_a_dead_job_whose_work_waits_again_goes_when_it_is_put_back(
    queue: JobQueue,
) -> None:
    one = await dead(queue)
    await queue.add([new()])
    assert await queue.requeue(one.id, None) == 1
    assert len((await queue.listed(None, None, None, 10)).items) == 1


async def test_statistics_tell_what_waits_and_how_much_room_there_is(queue: JobQueue) -> None:
    await dead(queue)
    await queue.add([new(1), new(2)])
    tiers = {one.tier: one for one in (await queue.statistics()).tiers}
    assert (tiers["T0"].queued, tiers["T0"].dead, tiers["T0"].room) == (2, 1, 0)
    assert tiers["T0"].oldest_queued_at is not None
    assert (tiers["T2"].queued, tiers["T2"].room) == (0, 4)


async def test_what_was_asked_too_early_proves_nothing(queue: JobQueue) -> None:
    now_ns = repository.nanoseconds(utc_now())
    recent = Span(now_ns - 60 * MINUTE_NS, now_ns)
    await queue.add([NewJob("backfill", "T0", "SPY", recent, "sweeper")])

    async def asked() -> list[Span]:
        return await queue.transact(lambda connection: repository.asked(connection, "SPY", 0))

    ((waiting),) = await asked()
    assert waiting.until_ns == pytest.approx(now_ns, abs=1000)
    job = await claimed(queue)
    await queue.transact(
        lambda connection: repository.finish(connection, job, "alpaca", 0, utc_now())
    )
    ((done),) = await asked()
    assert done.until_ns == pytest.approx(now_ns - 20 * MINUTE_NS, abs=60_000_000_000)


async def test_a_cursor_never_goes_back(queue: JobQueue) -> None:
    def told(span: Span) -> None:
        with queue._engine.begin() as connection:
            cursors.note_spans(connection, ["SPY", "QQQ"], "live", [span])

    told(Span(AT_NS, AT_NS + 5 * MINUTE_NS))
    told(Span(AT_NS, AT_NS + 3 * MINUTE_NS))
    told(Span(AT_NS + 9 * MINUTE_NS, AT_NS + 10 * MINUTE_NS))
    spans = await queue.transact(lambda connection: cursors.spans(connection, "SPY", "live", AT_NS))
    assert sorted(spans) == [
        Span(AT_NS, AT_NS + 5 * MINUTE_NS),
        Span(AT_NS + 9 * MINUTE_NS, AT_NS + 10 * MINUTE_NS),
    ]
    until = await queue.transact(lambda connection: cursors.told_until(connection, ["SPY", "IBM"]))
    assert until == {"SPY": AT_NS + 10 * MINUTE_NS}
