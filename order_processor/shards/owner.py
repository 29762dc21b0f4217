"""Owning one shard: recover, apply, commit, and only then answer.

The memory (`Desk`) is never ahead of what a successor would rebuild, except by the batch that is
being committed and the next one, which is collected meanwhile; whatever fails, it is dropped and
built again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from time import monotonic, perf_counter

import structlog
from redis.asyncio import Redis

from order_processor.brokers.floor import Floor
from order_processor.brokers.gate import nobody
from order_processor.errors import LeaseLostError, UnappliableError
from order_processor.metrics import SHARD_SECONDS
from order_processor.risk.rules import RuleBook
from order_processor.settings import OrderProcessorSettings
from order_processor.shards.acknowledgements import Acknowledgements, participant
from order_processor.shards.batch import Batch
from order_processor.shards.clock import WallClock
from order_processor.shards.committer import Committer
from order_processor.shards.consumer import CommandEntry, CommandReader
from order_processor.shards.desk import Desk
from order_processor.shards.equity import EquityMarker
from order_processor.shards.feed import FedEntry, Inbox, TapeFeed
from order_processor.shards.journal import Journal
from order_processor.shards.poison import Poison
from order_processor.shards.sessions import Sessions
from order_processor.shards.state import Unknowns
from shared.database.leases import Lease
from shared.models.risk import FollowLimits
from shared.redis import tape
from shared.redis.topics import publish_frames
from shared.trading.amounts import exact
from shared.trading.margin_calls import MarginRules
from shared.trading.terms import Limits
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

_ENTRIES_AT_ONCE = 64
#: Commands applied in one go: the other shards of the process wait for it.
_COMMANDS_AT_ONCE = 256
#: A batch with so many events takes no more of the tape until the one before it is committed.
_EVENTS_PER_BATCH = 5_000
_LEFTOVERS_AT_ONCE = 500
#: The feed brings what is on the tape in milliseconds; after this it is worth a look.
_TAPE_OVERDUE_S = 1.0
#: The wall clock, which can jump, is looked at so often while DAY orders work.
_CLOCK_LOOK_S = 10.0
_CLOCK_PAUSE_S = 0.2


class ShardOwner:
    """One spell of owning one shard, from taking the lease to losing or returning it."""

    def __init__(
        self,
        shard: int,
        lease: Lease,
        *,
        settings: OrderProcessorSettings,
        journal: Journal,
        redis: Redis,
        feed: TapeFeed,
        acknowledgements: Acknowledgements,
        wall: WallClock,
        sessions: Sessions,
        rules: RuleBook,
        poison: Poison,
        stopping: asyncio.Event,
        floor: Floor | None,
    ) -> None:
        self._shard = shard
        self._lease = lease
        self._settings = settings
        self._journal = journal
        self._redis = redis
        self._feed = feed
        self._acknowledgements = acknowledgements
        self._wall = wall
        self._sessions = sessions
        self._rules = rules
        self._poison = poison
        self._stopping = stopping
        #: None while live trading is off.
        self._floor = floor
        self._wake = asyncio.Event()
        self._inbox = Inbox(self._wake)
        self._commands = CommandReader(redis, shard, self._wake, settings.order_batch_commands)
        self._equity = EquityMarker(redis, settings.order_equity_interval_s)
        self._acknowledged = ""
        self._next_clock_look = 0.0

    def wake(self) -> None:
        """Look again at whether to stop."""
        self._wake.set()

    async def run(self) -> None:
        """Until `stopping` is set. LeaseLostError, a ShardFault, or whatever went wrong."""
        async with self._background() as tasks:
            self._start(tasks, self._keep_lease())
            await self._recover()
            self._start(tasks, self._commands.run(self._desk.command_cursor))
            if self._floor is not None:
                self._start(tasks, self._floor.run())
            try:
                await self._catch_up()
                while not self._stopping.is_set():
                    self._wake.clear()
                    _raise_first_failure(tasks)
                    await self._keep_committing()
                    if not self._has_work():
                        await self._wait()
                    entries = self._inbox.take(_ENTRIES_AT_ONCE) if self._has_room() else []
                    if not entries:
                        await self._expire_by_clock()
                    await self._apply(entries)
                    await self._keep_committing()
                    if not self._inbox.entries:
                        await self._acknowledge_mark()
                await self._flush_cursors()
            finally:
                self._rules.leave(self._wake)
                self._feed.detach(self._inbox)
                self._acknowledgements.withdraw(self._shard)
                await self._committer.end()

    @contextlib.asynccontextmanager
    async def _background(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        tasks: list[asyncio.Task[None]] = []
        try:
            yield tasks
        finally:
            await end_tasks(tasks)

    def _start(self, tasks: list[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._wake.set())
        tasks.append(task)

    # --- taking over -------------------------------------------------------------------------

    async def _recover(self) -> None:
        await self._rules.refresh()
        self._rules.watch(self._wake)
        stored = await self._journal.load(self._lease)
        self._desk = Desk(
            self._shard,
            self._settings.order_shards,
            stored,
            wall=self._wall,
            limits=Limits(
                reserve_buffer_bps=self._settings.order_reserve_buffer_bps,
                fx_spread_bps=self._settings.order_fx_spread_bps,
                fx_rate_age_s=self._settings.order_fx_rate_age_s,
            ),
            rates=self._rules.rates,
            sessions=self._sessions,
            link_of=nobody if self._floor is None else self._floor.session,
            risk_exchange=self._settings.order_risk_session_exchange,
            margin_rules=MarginRules(
                self._settings.order_margin_grace_s, self._settings.order_margin_buffer_percent
            ),
            action_faults=self._poison.actions,
        )
        if self._floor is not None:
            self._floor.recover(stored.books)
        await self._prepare_sessions(self._desk.unprepared_for_memory())
        self._committer = Committer(
            self._shard,
            self._lease,
            self._journal,
            self._redis,
            self._equity,
            stored.cursors,
            await self._publish_leftovers(stored.cursors.published_seq),
            self._wake.set,
            self._committed,
        )
        await tape.join(self._redis, participant(self._shard), "market")
        log.info(
            "shard_taken",
            shard=self._shard,
            epoch=self._lease.epoch,
            command=stored.cursors.command,
            tape=stored.cursors.tape,
        )

    def _committed(self, batch: Batch) -> None:
        if self._floor is not None:
            self._floor.committed(batch)

    async def _publish_leftovers(self, published: int) -> int:
        """Events that were committed and perhaps not published, because their owner died; the
        number of the last one."""
        while True:
            events = await self._journal.unpublished(published, _LEFTOVERS_AT_ONCE)
            if not events:
                return published
            await publish_frames(
                self._redis, [(topic, topic_seq, frame) for _, topic, topic_seq, frame in events]
            )
            published = events[-1][0]

    async def _catch_up(self) -> None:
        """Apply the tape up to where the feed is, then let the feed go on.

        Ends by acknowledging the last mark, which a former owner may have left unsaid.
        """
        desk, at_end = self._desk, False
        while not self._feed.attach(self._inbox, desk.tape_cursor, at_end=at_end):
            entries = await self._feed.catch_up(desk.tape_cursor)
            await self._apply(entries)
            await self._keep_committing()
            at_end = not entries
        end = await tape.end_of_tape(self._redis)
        while not desk.has_applied(end):
            entries = await self._feed.catch_up(desk.tape_cursor)
            if not entries:
                break  # trimmed meanwhile
            await self._apply(entries)
            await self._keep_committing()
        await self._acknowledge_mark()

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_duration_s / 3)
            try:
                await asyncio.to_thread(self._journal.renew, self._lease)
            except LeaseLostError:
                raise
            except Exception as error:  # noqa: BLE001 - the next commit proves the lease anyway
                log.warning("lease_not_renewed", shard=self._shard, error=repr(error))

    # --- working -----------------------------------------------------------------------------

    def _has_room(self) -> bool:
        """Whether more may go into the batch that is collected while another is committed."""
        batch = self._desk.batch
        most = self._settings.order_batch_commands
        return batch.commands < most and len(batch.events) < _EVENTS_PER_BATCH

    def _has_work(self) -> bool:
        waiting = bool(self._inbox.entries) or self._commands.ready(self._desk.has_applied)
        return waiting and self._has_room()

    async def _wait(self) -> None:
        """For entries or commands, a failure, or until something is due."""
        overdue_s = _TAPE_OVERDUE_S if self._commands.waiting else None
        waits = [self._expiry_wait_s(), self._desk.risk.wait_s(), overdue_s]
        if not self._committer.busy:  # else the end of the commit wakes us
            waits += [self._equity.wait_s(self._desk), self._cursor_wait_s()]
        try:
            async with asyncio.timeout(min((w for w in waits if w is not None), default=None)):
                await self._wake.wait()
        except TimeoutError:
            if self._commands.waiting and not self._inbox.entries:
                await self._release_commands()

    async def _release_commands(self) -> None:
        """Commands wait for tape entries. When the tape has lost those (Redis lost its data, or
        trimmed more than we had read), nothing will come that they could wait for."""
        if not await self._feed.catch_up(self._desk.tape_cursor):
            self._commands.release()

    def _cursor_wait_s(self) -> float | None:
        if self._desk.tape_cursor == self._committer.stored.tape:
            return None
        since = self._committer.committed_at
        return max(0.0, since + self._settings.order_cursor_interval_s - monotonic())

    def _expiry_wait_s(self) -> float | None:
        wait_s = self._desk.expiry_wait_s()
        if wait_s is None:
            return None
        return max(min(wait_s, _CLOCK_LOOK_S), self._next_clock_look - monotonic(), 0.0)

    async def _expire_by_clock(self) -> None:
        """End DAY orders when no tape brings their end; never ahead of what waits on the tape."""
        if self._expiry_wait_s() != 0.0:
            return
        self._next_clock_look = monotonic() + _CLOCK_PAUSE_S
        if not await self._feed.catch_up(self._desk.tape_cursor):
            self._desk.expire_by_clock()

    async def _apply(self, entries: list[FedEntry]) -> None:
        """Apply tape entries, then the commands that were waiting for them."""
        await self._follow_rules()
        desk, began = self._desk, perf_counter()
        with exact():
            for entry in entries:
                desk.apply_entry(entry)
            desk.risk.check()
        careful = self._poison.careful(desk.command_cursor)
        if careful:
            await self._settle()  # so that it is clear whose fault a failure is
        room = self._settings.order_batch_commands - desk.batch.commands
        most = 1 if careful else min(room, _COMMANDS_AT_ONCE)
        commands = self._commands.take(most, desk.has_applied)
        if commands:
            looking = perf_counter()
            await self._look_up(commands)
            looked_s = perf_counter() - looking
            SHARD_SECONDS.labels(self._shard, "look_up").inc(looked_s)
            began += looked_s
            await self._apply_commands(commands)
            if careful:
                await self._settle()
        if entries or commands:
            SHARD_SECONDS.labels(self._shard, "apply").inc(perf_counter() - began)

    async def _look_up(self, commands: list[CommandEntry]) -> None:
        desk = self._desk
        asked = [each.command for each in commands if isinstance(each.command, FollowLimits)]
        if asked:
            if any(each.version > self._rules.current.version for each in asked):
                await self._rules.refresh()
            await self._follow_rules()
        unknown = desk.unknown_to(commands)
        if unknown:
            desk.learn(unknown, await self._journal.look_up(unknown, desk.last_seen))
        if unknown.again and (more := desk.unknown_to(commands)):
            desk.learn(more, await self._journal.look_up(more, desk.last_seen))
        await self._prepare_sessions(desk.unprepared_exchanges(commands))

    async def _prepare_sessions(self, exchanges: set[str]) -> None:
        for exchange in exchanges:
            await self._sessions.prepare(exchange)

    async def _apply_commands(self, commands: list[CommandEntry]) -> None:
        try:
            with exact():
                for command in commands:
                    self._desk.apply_command(command, poisoned=command.id in self._poison)
        except UnappliableError:
            # The memory is lost; the batch under way isn't, and its senders wait for answers.
            await self._committer.settle()
            raise

    async def _keep_committing(self) -> None:
        """When nothing is being committed, begin with what there is to commit."""
        desk, committer = self._desk, self._committer
        if committer.finish():
            desk.committed()
        if committer.busy:
            return
        equity = self._equity.due(desk)
        if desk.batch.writes or self._cursor_wait_s() == 0.0:
            committer.begin(desk.seal(committer.published, equity))
        else:
            await self._equity.publish(equity)

    async def _follow_rules(self) -> None:
        """Take in new limits, and make sure that positions could be closed without waiting."""
        risk = self._desk.risk
        self._desk.take_rules(self._rules.current)
        self._desk.follow_rates()
        with exact():
            self._desk.corporate.take(self._rules.current.actions)
        await self._take_late_actions()
        await self._prepare_sessions(risk.unprepared_exchanges())
        missing = risk.missing_instruments()
        if missing:
            unknown = Unknowns(symbols=missing)
            found = await self._journal.look_up(unknown, self._desk.last_seen)
            self._desk.learn(unknown, found)
            await self._prepare_sessions(self._desk.unprepared_for_memory())
        risk.carry_out_halt()

    async def _take_late_actions(self) -> None:
        """Splits and dividends of the past: what was held then is in the tables alone."""
        while (action := self._desk.corporate.late()) is not None:
            await self._settle()
            held = await self._journal.held_then(action)
            missing = Unknowns(books=self._desk.missing((each[0], each[1]) for each in held))
            if missing:
                self._desk.learn(
                    missing, await self._journal.look_up(missing, self._desk.last_seen)
                )
            with exact():
                self._desk.corporate.take_late(action, held)

    async def _acknowledge_mark(self) -> None:
        """Say that the last mark is done. Call it when all that is on the tape was applied.

        A mark with entries after it was acknowledged already, or its run is over: it must not
        count for the next one.
        """
        mark = self._desk.mark
        if not mark.number:
            self._acknowledgements.withdraw(self._shard)
        elif mark.entry_id != self._acknowledged:
            await self._settle()
            self._acknowledged = mark.entry_id
            self._acknowledgements.done(self._shard, mark, self._committer.stored.tape)

    async def _settle(self) -> None:
        """Until all that was applied and must be stored is committed and told."""
        await self._committer.settle()
        self._desk.committed()
        if self._desk.batch.writes:
            await self._keep_committing()
            await self._committer.settle()
            self._desk.committed()

    async def _flush_cursors(self) -> None:
        """Before the lease goes back: leave the successor nothing to repeat."""
        await self._settle()
        desk, committer = self._desk, self._committer
        if desk.cursors(committer.published) != committer.stored:
            committer.begin(desk.seal(committer.published, self._equity.due(desk)))
            await committer.settle()


def _raise_first_failure(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled():
            error = task.exception()
            if error is not None:
                raise error
