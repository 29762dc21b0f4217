"""One worker process: one reader of the tape for all deployments that it holds."""

import asyncio
import contextlib
import time
from collections import defaultdict
from functools import partial
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.models.market import Candles, RunEnded, RunStarted, TimeMark
from shared.redis import tape
from shared.redis.streams import BEGINNING, position
from shared.utils.tasks import end_tasks
from strategy_workers.errors import until_done
from strategy_workers.metrics import CANDLES, DECISION, RUNNING
from strategy_workers.runtime.account_events import AccountEvents, AccountKey, feed_of
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord, HookError
from strategy_workers.runtime.dispatch import Dispatch
from strategy_workers.runtime.errands import Errands
from strategy_workers.runtime.feed import Feed
from strategy_workers.runtime.history import History
from strategy_workers.runtime.ownership import Ownership
from strategy_workers.runtime.roster import Roster
from strategy_workers.runtime.shared_indicators import SharedIndicators
from strategy_workers.runtime.slices import Slice
from strategy_workers.runtime.store import Store
from strategy_workers.runtime.watchdog import Watchdog

log = structlog.get_logger()

_ENTRIES_AT_ONCE = 32
_BLOCK_MS = 1000
#: Snapshots of a quiet second.
_SAVES_AT_ONCE = 200
#: Deployments whose leases are taken by one statement.
_TAKEN_AT_ONCE = 250


class Worker:
    """`run` until cancelled. Everything that touches deployments holds the lock.

    For a slice: read the events, decide (no I/O, so nothing can cut it short), store what was
    decided, send it, acknowledge. A crash before the commit repeats the decision; one after it
    sends the stored orders again, under their old ids.
    """

    def __init__(
        self,
        redis: Redis,
        store: Store,
        ownership: Ownership,
        roster: Roster,
        events: AccountEvents,
        dispatch: Dispatch,
        history: History,
        watchdog: Watchdog,
        *,
        lease_duration_s: float,
        snapshot_marks: int,
        max_deployments: int,
    ) -> None:
        self._redis = redis
        self._store = store
        self._ownership = ownership
        self._roster = roster
        self._events = events
        self._dispatch = dispatch
        self._history = history
        self.watchdog = watchdog
        self._pause_s = lease_duration_s / 3
        self._snapshot_marks = snapshot_marks
        self._max_deployments = max_deployments

        self._lock = asyncio.Lock()
        self._deployments: dict[UUID, Deployment] = {}
        self._in_order = True
        #: Last tape entry worked through by all; entries up to it are passed over.
        self._cursor = BEGINNING
        self._slice = Slice()
        self._indicators = SharedIndicators()
        self._look_round = asyncio.Event()
        self._has_deployments = asyncio.Event()
        self._errands = Errands(self._look_round.set)
        self._draining = False
        self._drained = False

    # --- from outside --------------------------------------------------------------------------

    def look_round(self) -> None:
        """Something is new among the deployments. From the event loop's thread only."""
        self._look_round.set()

    @property
    def held(self) -> set[UUID]:
        """Deployments in this worker's hands."""
        return set(self._deployments)

    async def run(self) -> None:
        """On a fault of our own, memory is thrown away and restored from the snapshots."""
        while not self._draining:
            tasks = [
                asyncio.create_task(loop(), name=loop.__name__)
                for loop in (
                    self._follow_tape,
                    self._keep_leases,
                    self._keep_joined,
                    self._keep_looking,
                )
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                await end_tasks(tasks)
                await self._errands.end()
            for task in done:
                if error := task.exception():
                    log.error("worker_fault", loop=task.get_name(), exc_info=error)
            self._deployments.clear()
            self._has_deployments.clear()
            with contextlib.suppress(Exception):
                await self._ownership.release_all()
            await asyncio.sleep(self._pause_s)

    async def drain(self) -> None:
        """Finish the slice, store all state, let others have the deployments."""
        self._draining = True
        await self._errands.end()
        async with self._lock:
            await self._save_unsaved()
            self._deployments.clear()
            await until_done("release", self._ownership.release_all)
        self._drained = True
        self._count()

    # --- deployments come and go ---------------------------------------------------------------

    async def _keep_leases(self) -> None:
        while not self._drained:
            await asyncio.sleep(self._pause_s)
            for lost in await until_done("renewal", self._ownership.renew):
                log.warning("deployment_lost", deployment=str(lost))

    async def _keep_joined(self) -> None:
        """Redis may have lost who takes part: a run would go on without waiting for us.

        A deployment that leaves is not in our hands any more, so that none is brought back.
        """
        while not self._draining:
            await asyncio.sleep(self._pause_s)
            async with self._lock:
                await self._ownership.make_certain()
                self._drop_lost()
                names = [deployment.participant for deployment in self._deployments.values()]
                with contextlib.suppress(RedisError):  # said again soon
                    await tape.join_all(self._redis, names, "strategy")

    async def _keep_looking(self) -> None:
        while not self._draining:
            self._look_round.clear()
            self._errands.look()
            await self._end_unwanted()
            await self._change_parameters()
            await until_done("look", self._store.release_held)
            await self._take_unowned()
            self._count()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_round.wait(), self._pause_s)

    async def _end_unwanted(self) -> None:
        held = list(self._deployments)
        unwanted = await until_done("look", lambda: self._store.unwanted(held))
        for deployment_id, wish in unwanted.items():
            async with self._lock:
                deployment = self._deployments.pop(deployment_id, None)
            if deployment is not None and self._ownership.owns(deployment_id):
                end = partial(self._roster.end_as_wanted, deployment, wish)
                self._errands.run([deployment_id], end)

    async def _change_parameters(self) -> None:
        """Between two slices: the next mark is the first of the new ones."""
        held = list(self._deployments)
        for deployment_id, change in (
            await until_done("look", lambda: self._store.changed(held))
        ).items():
            async with self._lock:
                deployment = self._deployments.get(deployment_id)
                if deployment is None or deployment.record.version == change.version:
                    continue
                changed = await self._roster.change(deployment, change)
                if changed is None:
                    del self._deployments[deployment_id]
                else:
                    self._deployments[deployment_id] = changed
                    self._share(changed)

    async def _take_unowned(self) -> None:
        room = self._max_deployments - len(self._deployments) - len(self._errands)
        if room <= 0:
            return
        found = await until_done("look", lambda: self._store.unowned(room))
        ids = [one for one in found if one not in self._errands]
        for first in range(0, len(ids), _TAKEN_AT_ONCE):
            group = ids[first : first + _TAKEN_AT_ONCE]
            self._errands.run(group, partial(self._take, group))

    async def _take(self, ids: list[UUID]) -> None:
        """Those that only have to be started together, then the others beside each other."""
        records = await until_done("take", lambda: self._ownership.take_all(ids))
        # They may have ended between our look and our take.
        gone = [record.id for record in records if record.has_ended]
        if gone:
            await until_done("release", lambda: self._ownership.release(gone))
        left = [record for record in records if not record.has_ended]
        left = await self._let_wait(left)
        fresh = [one for one in left if one.status != "paused" and self._roster.starts_at_once(one)]
        if fresh:
            started = await self._roster.start_all(fresh)
            async with self._lock:
                await self._admit(started)
        at_once = {record.id for record in fresh}
        for record in left:
            if record.id not in at_once:
                self._errands.run([record.id], partial(self._bring_in, record))

    async def _let_wait(self, records: list[DeploymentRecord]) -> list[DeploymentRecord]:
        """Those that can go on; the others wait for their market or broker before they begin."""
        ids = [record.id for record in records if record.wanted == "running"]
        unwanted = await until_done("look", lambda: self._store.unwanted(ids))
        holds = {one: wish for one, wish in unwanted.items() if wish.hold is not None}
        for record in records:
            if record.id in holds:
                let_wait = partial(self._roster.let_wait, record, holds[record.id])
                self._errands.run([record.id], let_wait)
        return [record for record in records if record.id not in holds]

    async def _bring_in(self, record: DeploymentRecord) -> None:
        if record.status == "paused":
            await self._roster.stop(record, None)
            return
        deployment = await self._roster.bring_up(record)
        if deployment is not None:
            async with self._lock:
                await self._admit([deployment])

    async def _admit(self, deployments: list[Deployment]) -> None:
        """From now on they are read for; what they have missed is read at once."""
        if not deployments:
            return
        first = min(deployments, key=lambda one: position(one.cursor))
        behind = not self._deployments or position(first.cursor) < position(self._cursor)
        self._deployments.update({one.id: one for one in deployments})
        for one in deployments:
            self._share(one)
        self._in_order = False
        self._has_deployments.set()
        if not behind:
            return
        # A snapshot stands between two slices, so the slice can be put together anew from here.
        # The others pass over what they have worked through already.
        self._cursor = first.cursor
        self._slice.clear()
        while entries := await until_done("tape", lambda: self._read(block_ms=None)):
            await self._work_through(entries)

    def _share(self, deployment: Deployment) -> None:
        """Not those that trade live: they pass over what others hear."""
        if deployment.mode == "paper":
            self._indicators.join(deployment.market)

    def _drop_lost(self) -> None:
        for deployment_id in [one for one in self._deployments if not self._ownership.owns(one)]:
            del self._deployments[deployment_id]

    def _count(self) -> None:
        RUNNING.set(len(self._deployments))

    # --- the tape ------------------------------------------------------------------------------

    async def _follow_tape(self) -> None:
        while not self._draining:
            if not self._deployments:
                self._has_deployments.clear()
                await self._has_deployments.wait()
            entries = await until_done("tape", lambda: self._read(block_ms=_BLOCK_MS))
            async with self._lock:
                if entries:
                    await self._work_through(entries)
                else:
                    await self._save_unsaved()

    async def _read(self, block_ms: int | None) -> list[tape.RawEntry]:
        return await tape.read(self._redis, self._cursor, count=_ENTRIES_AT_ONCE, block_ms=block_ms)

    async def _work_through(self, entries: list[tape.RawEntry]) -> None:
        for entry in entries:
            if self._draining:
                return
            if position(entry.id) <= position(self._cursor):
                continue  # the cursor moved while this was being read
            if entry.kind not in ("trades", "quotes", "halts"):
                await self._take_entry(entry)
            self._cursor = entry.id

    async def _take_entry(self, entry: tape.RawEntry) -> None:
        match entry.decode():
            case Candles(candles=candles):
                self._slice.add(candles)
            case TimeMark(phase="market"):
                self._slice.market_mark = entry.id
            case TimeMark() as mark:
                await self._take_mark(entry.id, mark)
                self._slice.clear()
            case RunStarted(paced=paced):
                self._slice.clear()
                for deployment in self._deployments.values():
                    if deployment.is_behind(entry.id):
                        news = partial(Deployment.run_started, entry_id=entry.id, paced=paced)
                        news(deployment)
                        deployment.hear(news)
                        self._share(deployment)
            case RunEnded():
                await self._save_unsaved()

    async def _take_mark(self, entry_id: str, mark: TimeMark) -> None:
        self._drop_lost()
        if not self._in_order:
            # Orders of one mark go out in this order, whoever took what up first.
            self._deployments = dict(sorted(self._deployments.items()))
            self._in_order = True
        due = [one for one in self._deployments.values() if one.is_behind(entry_id)]
        if mark.paced:
            await self._pass_over(entry_id, mark, [one for one in due if one.mode == "live"])
            due = [one for one in due if one.mode != "live"]
        feeds = await until_done("events", lambda: self._events.collect(due))
        market_mark = self._slice.market_mark or entry_id
        await self._prepare(mark, due, feeds)
        self._indicators.take(self._slice)
        failed = self._decide(entry_id, mark, due, feeds, market_mark)
        for deployment, error in failed:
            self._deployments.pop(deployment.id, None)
            await self._roster.pause(deployment.record, error, deployment)
        due = [one for one in due if one.id in self._deployments]
        await self._store_and_send(due, mark)
        await self._acknowledge([one for one in due if one.id in self._deployments], mark)

    async def _pass_over(self, entry_id: str, mark: TimeMark, live: list[Deployment]) -> None:
        """Prices of a replay are nothing to those that trade with real money."""
        for deployment in live:
            deployment.pass_mark(entry_id, mark)
        await self._acknowledge(live, mark)

    def _decide(
        self,
        entry_id: str,
        mark: TimeMark,
        due: list[Deployment],
        feeds: dict[AccountKey, Feed],
        market_mark: str,
    ) -> list[tuple[Deployment, str]]:
        """Those whose hooks raised, with the tracebacks."""
        failed: list[tuple[Deployment, str]] = []
        began = time.perf_counter()
        handled = 0
        for deployment in due:
            candles = self._slice.candles(deployment.market.sources)
            events = feed_of(feeds, deployment).until(deployment.portfolio, market_mark)
            if not events and not candles and not deployment.has_news:
                deployment.pass_mark(entry_id, mark)
                continue
            news = partial(
                Deployment.decide, entry_id=entry_id, mark=mark, events=events, candles=candles
            )
            try:
                with self.watchdog.over(deployment.id, deployment.strategy_class):
                    handled += news(deployment)
            except HookError as error:
                failed.append((deployment, str(error)))
            else:
                deployment.hear(news)
        if handled:
            CANDLES.inc(handled)
            DECISION.observe(time.perf_counter() - began)
        return failed

    async def _prepare(
        self, mark: TimeMark, due: list[Deployment], feeds: dict[AccountKey, Feed]
    ) -> None:
        """See to it that every deployment can take in its events and candles."""
        cold: list[Deployment] = []
        for deployment in due:
            if feed_of(feeds, deployment).breaks(deployment.portfolio):
                log.warning("events_gone", deployment=str(deployment.id))
                read = partial(
                    self._store.read_books, deployment.account_id, deployment.mode, deployment.id
                )
                deployment.portfolio = await until_done("books", read)
            if not deployment.market.warm:
                if mark.paced:  # a run on virtual time begins with its own first candle
                    deployment.market.warm = True
                elif self._slice.candles(deployment.market.series):
                    cold.append(deployment)
        await asyncio.gather(
            *(
                self._history.warm_up(
                    one.market, mark.at_ns, self._slice.candles(one.market.series)
                )
                for one in cold
            )
        )
        for one in cold:
            self._share(one)

    async def _store_and_send(self, due: list[Deployment], mark: TimeMark) -> None:
        """State goes to the database with decisions that have effects, else every few marks; in a
        live run also in the quiet seconds between candles, so that its owner sees it."""
        if any(one.unsaved_marks >= self._snapshot_marks for one in due):
            unsaved = [one for one in due if one.unsaved_marks]
        else:
            unsaved = [one for one in due if one.has_decided]
            if not unsaved and not mark.paced and self._slice.is_empty:
                unsaved = [one for one in due if one.unsaved_marks][:_SAVES_AT_ONCE]
        if not unsaved:
            return
        deciding = [one for one in unsaved if one.has_decided]
        saved = await self._roster.save(unsaved)
        self._drop_lost()
        await self._dispatch.send([one for one in deciding if one in saved])

    async def _save_unsaved(self) -> None:
        unsaved = [one for one in self._deployments.values() if one.unsaved_marks]
        if unsaved:
            await self._roster.save(unsaved)
            self._drop_lost()

    async def _acknowledge(self, due: list[Deployment], mark: TimeMark) -> None:
        await self._ownership.make_certain()
        by_cursor: defaultdict[str, list[str]] = defaultdict(list)
        for deployment in due:
            if self._ownership.owns(deployment.id):
                by_cursor[deployment.durable_cursor].append(deployment.participant)
        for cursor, participants in by_cursor.items():
            acknowledge = partial(
                tape.acknowledge, self._redis, participants, mark, "strategy", cursor
            )
            await until_done("acknowledgement", acknowledge)
