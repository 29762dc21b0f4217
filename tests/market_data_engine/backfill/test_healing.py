"""A live feed and the providers are away, come back, and every candle is healed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, text

from market_data_engine.backfill.healing import Healer, StoredMinutes
from market_data_engine.backfill.queue import JobQueue
from market_data_engine.backfill.repository import moment
from market_data_engine.backfill.sweeping import Sweeper
from market_data_engine.backfill.workers import Workers
from market_data_engine.feeds.following import FeedStatus
from market_data_engine.history.memory import CandleMemory
from market_data_engine.providers.configuration import BreakerSettings, Configuration
from market_data_engine.providers.providers import Providers
from market_data_engine.store.postgres import PostgresCandleStore
from market_data_engine.store.stored import StoredCandle
from market_data_engine.store.writer import CandleWriter
from market_data_engine.vendors.alpaca.history import AlpacaHistory
from market_data_engine.vendors.yahoo.history import YahooHistory
from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import DAY_NS, HOUR_NS, MINUTE_NS
from shared.database import DatabaseThread
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle
from tests.market_data_engine.vendors.history import KEY, SECRET, HistoryServer, history_server

#: A midnight; the feed is there from 08:00 on, and away from 09:00:30 to 10:00.
DAY_START_NS = 1_767_623_400_000_000_000 // DAY_NS * DAY_NS
BEGIN_NS = DAY_START_NS + 8 * HOUR_NS
AWAY_NS = DAY_START_NS + 9 * HOUR_NS + 30 * 1_000_000_000
BACK_NS = DAY_START_NS + 10 * HOUR_NS
SYMBOL = "BTC"


@dataclass
class World:
    alpaca: HistoryServer
    yahoo: HistoryServer
    engine: Engine
    queue: JobQueue
    workers: Workers
    sweeper: Sweeper
    store: PostgresCandleStore
    memory: CandleMemory
    feed: FeedStatus
    writer: CandleWriter
    #: What those who follow the candles were told.
    told: list[Candle]
    now_ns: int = BACK_NS + 2 * HOUR_NS + 2 * MINUTE_NS

    async def work(self) -> None:
        """Until nothing is due."""
        while await self.workers.work_once("T0"):
            pass

    async def statuses(self) -> dict[str, int]:
        tiers = (await self.queue.statistics()).tiers
        one = next(tier for tier in tiers if tier.tier == "T0")
        return {"queued": one.queued, "done": one.done, "dead": one.dead}

    def let_time_pass(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE data_jobs SET not_before = 'epoch'"))

    def candles(self, timeframe: Timeframe = "1m") -> dict[int, StoredCandle]:
        """By minutes after 08:00."""
        found = self.store.page(Symbol(SYMBOL), timeframe, 0, None, 10_000)
        return {(one.candle.start_ns - BEGIN_NS) // MINUTE_NS: one for one in found}


@pytest.fixture
async def world(engine: Engine, tmp_path: Path) -> AsyncIterator[World]:
    calendar = SessionCalendar.continuous()
    jobs, rows = DatabaseThread("tests-jobs"), DatabaseThread("tests-store")
    store = PostgresCandleStore(engine)
    writer = CandleWriter(store, rows, tmp_path, 100_000)
    queue = JobQueue(engine, jobs, now=lambda: moment(found.now_ns))
    memory = CandleMemory()
    configuration = Configuration(
        tiers={"T0": [SYMBOL]}, breaker=BreakerSettings(failures=1, cooldown_s=0.001)
    )
    providers = Providers(configuration)
    feed = FeedStatus("alpaca", [SYMBOL])
    told: list[Candle] = []

    async def tell(candles: Iterable[Candle]) -> None:
        told.extend(candles)

    found: World
    with history_server() as alpaca, history_server() as yahoo:
        providers.add(
            AlpacaHistory(alpaca.url, "iex", KEY, SECRET, permit=providers.permit("alpaca"))
        )
        providers.add(YahooHistory(yahoo.url, permit=providers.permit("yahoo")))
        stored = StoredMinutes(store)
        healer = Healer(
            providers, stored, writer, memory, queue, lambda _: calendar, tell,
            wall_ns=lambda: found.now_ns,
        )  # fmt: skip
        sweeper = Sweeper(
            queue, stored, lambda _: calendar, lambda _: None, lambda: configuration,
            lambda: [feed], [], memory.healed, leads=lambda: True, lookback=timedelta(hours=4),
            wall_ns=lambda: found.now_ns,
        )  # fmt: skip
        workers = Workers(queue, healer, leads=lambda: True)
        found = World(
            alpaca, yahoo, engine, queue, workers, sweeper, store, memory, feed, writer, told
        )
        async with writer.running():
            await writer.take_over()
            await live_day(found)
            yield found
        await providers.close()
    jobs.close()
    rows.close()


async def live_day(world: World) -> None:
    """What the live run made of it: the feed's last minute was complete before anybody noticed."""
    presence = world.feed.presence
    presence.stood(BEGIN_NS)
    presence.heard(AWAY_NS)
    presence.lost()
    presence.stood(BACK_NS)
    numbers = [*range(61), *range(120, 240)]
    await world.writer.put([live(number) for number in numbers])
    await world.writer.stored()
    for server in (world.alpaca, world.yahoo):
        server.bars[SYMBOL] = [
            (BEGIN_NS + number * MINUTE_NS, 50.0, 51.0, 49.0, 50.5, 7.0) for number in range(240)
        ]


def live(number: int) -> StoredCandle:
    start_ns = BEGIN_NS + number * MINUTE_NS
    one = Candle(
        Symbol(SYMBOL), "1m", start_ns, start_ns + MINUTE_NS, 50.0, 50.5, 49.5, 50.0, 5.0, 50.0, 2
    )
    return StoredCandle(one, "live", "complete", start_ns + MINUTE_NS)


async def test_an_hour_that_was_missed_is_healed_with_its_true_source(world: World) -> None:
    world.alpaca.status = world.yahoo.status = 500
    await world.sweeper.note_live()
    assert await world.sweeper.sweep("T0", [SYMBOL]) == 1
    await world.work()
    assert await world.statuses() == {"queued": 1, "done": 0, "dead": 0}
    assert set(world.candles()) == {*range(61), *range(120, 240)}
    # Looked at again while it waits, the same gap isn't queued twice.
    assert await world.sweeper.sweep("T0", [SYMBOL]) == 0

    world.alpaca.status = None
    world.let_time_pass()
    await asyncio.sleep(0.002)  # the breakers' cooldown
    await world.work()
    assert await world.statuses() == {"queued": 2, "done": 1, "dead": 0}  # folds of 1d and 1w
    healed = world.candles()
    assert set(healed) == set(range(240))
    for number, one in healed.items():
        missed = 60 <= number < 120  # the minute in which the feed went, too
        expected = ("alpaca", "healed", 50.5) if missed else ("live", "complete", 50.0)
        assert (one.source, one.quality, one.candle.close) == expected, number
        assert one.as_of_ns == (world.now_ns if missed else one.candle.end_ns)
    hour = world.candles("1h")[60]
    assert (hour.source, hour.quality, hour.candle.volume) == ("alpaca", "healed", 60 * 7.0)
    four = world.candles("4h")[0]
    assert (four.source, four.quality) == ("alpaca+live", "healed")
    assert four.candle.volume == 60 * 7.0 + 180 * 5.0
    assert not world.candles("1d")  # it hasn't ended
    # Charts are told of each minute and each larger candle that is another now, and of no other.
    changed = sum(len(world.candles(timeframe)) for timeframe in ("3m", "5m", "15m", "30m"))
    assert len({(one.timeframe, one.start_ns) for one in world.told}) == 60 + changed + 2
    assert changed == 20 + 12 + 4 + 2

    assert await world.sweeper.sweep("T0", [SYMBOL]) == 0
    world.now_ns = DAY_START_NS + DAY_NS + HOUR_NS
    world.let_time_pass()
    await world.work()
    (day,) = world.candles("1d").values()
    assert (day.quality, day.candle.trades) == ("healed", 180 * 2 + 60 * 3)


async def test_another_provider_heals_while_the_first_is_away(world: World) -> None:
    world.alpaca.status = 500
    await world.sweeper.note_live()
    await world.sweeper.sweep("T0", [SYMBOL])
    await world.work()
    assert {world.candles()[number].source for number in range(60, 120)} == {"yahoo"}
    (job,) = (await world.queue.listed("done", None, None, 5)).items
    assert (job.kind, job.provider, job.candles) == ("backfill", "yahoo", 60)


async def test_a_death_between_candles_and_their_job_changes_nothing(world: World) -> None:
    await world.sweeper.note_live()
    await world.sweeper.sweep("T0", [SYMBOL])
    await world.work()
    before = world.candles("4h")
    with world.engine.begin() as connection:  # as if it had died before the end was noted
        connection.execute(text("DELETE FROM data_jobs WHERE kind = 'fold'"))
        connection.execute(text("UPDATE data_jobs SET status = 'running'"))
        connection.execute(text("DELETE FROM candles WHERE timeframe = '4h'"))
    asked, told = len(world.alpaca.asked), list(world.told)
    world.told.clear()
    await world.workers.take_over()
    world.let_time_pass()
    await world.work()
    assert world.candles("4h").keys() == before.keys()
    assert len(world.alpaca.asked) == asked
    assert {*told} <= {*world.told}
    assert (await world.statuses())["queued"] == 2


async def test_what_nobody_has_an_answer_to_is_dead_and_not_asked_again(world: World) -> None:
    world.alpaca.status = world.yahoo.status = 404
    await world.sweeper.note_live()
    await world.sweeper.sweep("T0", [SYMBOL])
    await world.work()
    assert await world.statuses() == {"queued": 0, "done": 0, "dead": 1}
    assert await world.sweeper.sweep("T0", [SYMBOL]) == 0
    (job,) = (await world.queue.listed("dead", None, None, 5)).items
    assert job.problem is not None
    assert "Alpaca has no answer to this: HTTP 404." in job.problem
    world.alpaca.status = None
    assert await world.queue.requeue(None, "T0") == 1
    await world.work()
    assert set(world.candles()) == set(range(240))


async def test_a_minute_without_trades_is_asked_for_once(world: World) -> None:
    world.alpaca.bars[SYMBOL] = [
        bar for bar in world.alpaca.bars[SYMBOL] if bar[0] < BEGIN_NS + 100 * MINUTE_NS
    ]
    await world.sweeper.note_live()
    await world.sweeper.sweep("T0", [SYMBOL])
    await world.work()
    assert set(world.candles()) == {*range(100), *range(120, 240)}
    world.sweeper._seen_ns.clear()
    assert await world.sweeper.sweep("T0", [SYMBOL]) == 0


async def test_a_symbol_that_is_looked_at_all_day_has_one_job_and_its_intervals_folds(
    world: World,
) -> None:
    """Without a feed each look finds another minute missing."""
    world.feed.presence.lost()
    for _ in range(30):
        world.now_ns += MINUTE_NS
        world.sweeper._seen_ns.clear()
        await world.sweeper.sweep("T0", [SYMBOL])
        await world.work()
    items = (await world.queue.listed(None, None, None, 100)).items
    assert [job.kind for job in items if job.status == "done"] == ["backfill"]
    (done,) = (job for job in items if job.status == "done")
    assert (done.start, done.provider) == (moment(BEGIN_NS + 3 * MINUTE_NS), "alpaca")
    assert done.end > moment(BACK_NS + 2 * HOUR_NS + 29 * MINUTE_NS)
    assert len(items) <= 1 + 8  # no more folds than there are larger timeframes


async def test_while_nobody_can_be_asked_a_symbol_has_one_job_that_grows(world: World) -> None:
    world.alpaca.status = world.yahoo.status = 500
    for _ in range(5):
        world.now_ns += MINUTE_NS
        world.sweeper._seen_ns.clear()
        await world.sweeper.sweep("T0", [SYMBOL])
        await world.work()
    (job,) = (await world.queue.listed(None, None, None, 100)).items
    assert (job.status, job.end) == ("queued", moment(world.now_ns - MINUTE_NS))


async def test_what_nobody_answers_is_asked_less_and_less_often_and_leaves_one_dead_job(
    world: World,
) -> None:
    world.alpaca.status = world.yahoo.status = 404
    for _ in range(40):
        world.now_ns += MINUTE_NS
        await world.sweeper.sweep("T0", [SYMBOL])
        await world.work()
    (job,) = (await world.queue.listed(None, None, None, 100)).items
    assert (job.status, job.attempts) == ("dead", 6)  # after 1, 2, 4, 8 and 16 minutes
    assert len(world.alpaca.asked) == 6


async def test_a_healed_candle_that_a_late_print_reached_below_is_folded_again(
    world: World,
) -> None:
    await world.sweeper.note_live()
    await world.sweeper.sweep("T0", [SYMBOL])
    await world.work()
    (before,) = (one for at, one in world.candles("4h").items() if at == 0)
    amended = replace(live(10), candle=replace(live(10).candle, volume=105.0))
    await world.writer.put([amended])
    await world.writer.stored()
    world.memory.healed.outdate(before.candle)
    await world.sweeper.fold_again()
    await world.work()
    assert world.candles("4h")[0].candle.volume == before.candle.volume + 100.0
    assert world.memory.healed.outdated() == []


async def test_a_fold_that_is_under_way_holds_up_no_other(world: World) -> None:
    first = replace(live(0).candle, timeframe="4h", end_ns=live(239).candle.end_ns)
    second = replace(first, start_ns=first.end_ns, end_ns=2 * first.end_ns - first.start_ns)
    world.memory.healed.outdate(first)
    await world.sweeper.fold_again()
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE data_jobs SET status = 'running'"))
    for candle in (first, second):
        world.memory.healed.outdate(candle)
    await world.sweeper.fold_again()
    assert [one[1] for one in world.memory.healed.outdated()] == [first.start_ns]
    jobs = (await world.queue.listed(None, None, None, 5)).items
    assert sorted(job.status for job in jobs) == ["queued", "running"]


async def test_data_is_late_when_nobody_tells_of_it(world: World) -> None:
    await world.sweeper.note_live()
    assert await world.sweeper.stale("T0", [SYMBOL]) == 0
    world.now_ns += HOUR_NS
    assert await world.sweeper.stale("T0", [SYMBOL]) == 1
