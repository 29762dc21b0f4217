"""How deployments come into this worker's hands, and how they leave them."""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import structlog
from redis.asyncio import Redis

from shared.database.leases import LeaseLostError
from shared.models.orders import Refusal
from shared.redis import tape
from shared.redis.keys import TAPE, TAPE_COMMITTED
from shared.redis.streams import BEGINNING, entries, position
from strategy_workers.errors import until_done
from strategy_workers.library import Catalogue
from strategy_workers.metrics import PAUSED, TAKE_OVERS
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord, HookError
from strategy_workers.runtime.desk import market_time
from strategy_workers.runtime.dispatch import Dispatch
from strategy_workers.runtime.ownership import Ownership
from strategy_workers.runtime.repository import Change, Wish
from strategy_workers.runtime.snapshot import decode_decided
from strategy_workers.runtime.store import Save, Store
from strategy_workers.runtime.watchdog import Watchdog
from strategy_workers.sdk import Strategy

log = structlog.get_logger()

#: Which working orders end: those that would add to a position, the others, or both.
_ENTRIES: Container[bool] = (True,)
_ALL: Container[bool] = (True, False)
_ENDED_BY_PAUSE: Mapping[str, Container[bool]] = {
    "cancel_entries": _ENTRIES,
    "cancel_all": _ALL,
    "keep": (),
}


class Roster:
    """Each step may be cut short by a crash; whoever takes the lease next does it again."""

    def __init__(
        self,
        redis: Redis,
        store: Store,
        ownership: Ownership,
        dispatch: Dispatch,
        catalogue: Catalogue,
        watchdog: Watchdog,
    ) -> None:
        self._redis = redis
        self._store = store
        self._ownership = ownership
        self._dispatch = dispatch
        self._catalogue = catalogue
        self._watchdog = watchdog

    async def bring_up(
        self, record: DeploymentRecord, holding: Wish | None = None
    ) -> Deployment | None:
        """A deployment that has joined the tape, acknowledged what it has behind it, and may
        be given what comes after its cursor. None when it had to be paused or stopped instead,
        or has to wait: `holding` says why.
        """
        if record.wanted == "paused" and record.snapshot is None:
            await self._end_orders(record, _ENDED_BY_PAUSE[record.pause_orders])
            await self._end(record, "paused", None)
            return None
        try:
            # Beside the others: it may be a process that has to be started.
            deployment = await asyncio.to_thread(self._make, record)
        except HookError as error:
            await self.pause(record, str(error))
            return None
        was_paused = deployment.started and record.status == "starting"
        if deployment.started and not was_paused:
            TAKE_OVERS.inc()
            await self._take_over(deployment)
        if record.wanted != "running" or holding is not None:
            wish = holding or Wish(record.wanted, record.pause_orders)
            await self.end_as_wanted(deployment, wish)
            return None
        if was_paused:
            return await self._resume(record, deployment)
        if deployment.started:
            return deployment
        started = await self._start([deployment])
        return started[0] if started else None

    def starts_at_once(self, record: DeploymentRecord) -> bool:
        """Nothing of it is stored, and no process is to be started for it."""
        known = self._catalogue.find(record.strategy, record.strategy_version)
        return (
            record.wanted == "running"
            and record.snapshot is None
            and known is not None
            and not known.has_own_process
        )

    async def start_all(self, records: Sequence[DeploymentRecord]) -> list[Deployment]:
        """`bring_up` for many that start at once; each statement and command for all of them."""
        made = await asyncio.to_thread(self._make_each, records)
        good = []
        for record, deployment in zip(records, made, strict=True):
            if isinstance(deployment, HookError):
                await self.pause(record, str(deployment))
            else:
                good.append(deployment)
        return await self._start(good)

    def _make_each(self, records: Sequence[DeploymentRecord]) -> list[Deployment | HookError]:
        made: list[Deployment | HookError] = []
        for record in records:
            try:
                made.append(self._make(record))
            except HookError as error:
                made.append(error)
        return made

    def _make(self, record: DeploymentRecord) -> Deployment:
        """As it was when it was stored, with the parameters and the code of then."""
        if record.snapshot is not None:
            stored = decode_decided(record.snapshot)
            record = replace(
                record,
                parameters=stored.parameters,
                version=stored.version,
                strategy_version=stored.strategy_version,
            )
        strategy = self._strategy_of(record)
        with self._watchdog.over(record.id, strategy):
            deployment = Deployment(record, strategy)
            if record.snapshot is not None:
                deployment.restore(record.snapshot)
            return deployment

    def _make_again(
        self, record: DeploymentRecord, heard: list[Callable[[Deployment], object]]
    ) -> Deployment | None:
        """None when it doesn't come out as it did."""
        again = self._make(record)
        with self._watchdog.over(record.id, again.strategy_class):
            return again if again.hear_again(heard) else None

    def _strategy_of(self, record: DeploymentRecord) -> type[Strategy]:
        strategy = self._catalogue.find(record.strategy, record.strategy_version)
        if strategy is None:
            raise HookError(f"There is no strategy named {record.strategy} any more.")
        return strategy

    async def change(self, deployment: Deployment, change: Change) -> Deployment | None:
        """The same deployment with other parameters, stored. None when it had to be paused."""
        try:
            changed = await asyncio.to_thread(self._changed, deployment, change)
        except HookError as error:
            await self.pause(deployment.record, str(error), deployment)
            return None
        if not await self.save([changed]):
            return None
        log.info("parameters_changed", deployment=str(changed.id), version=change.version)
        return changed

    def _changed(self, deployment: Deployment, change: Change) -> Deployment:
        record = replace(
            deployment.record,
            parameters=change.parameters,
            version=change.version,
            strategy_version=change.strategy_version,
        )
        strategy = self._strategy_of(record)
        with self._watchdog.over(deployment.id, strategy):
            changed = Deployment(record, strategy)
            changed.inherit(deployment)
        changed.desk.note("info", "parameters_changed", {"version": str(change.version)})
        return changed

    async def _start(self, deployments: Sequence[Deployment]) -> list[Deployment]:
        accounts = list(dict.fromkeys((one.account_id, one.mode) for one in deployments))
        # Live books are opened by the first comparison with the broker, which is behind us.
        on_paper = [(account_id, mode) for account_id, mode in accounts if mode == "paper"]
        replies = await self._dispatch.open_books(on_paper)
        opened = []
        for one in deployments:
            reply = replies.get((one.account_id, one.mode))
            if isinstance(reply, Refusal):
                await self.pause(one.record, f"The account has no books: {reply.message}")
            else:
                opened.append(one)
        if not opened:
            return []
        books = await until_done("books", lambda: self._store.read_all_books(accounts))
        for one in opened:
            one.portfolio = books[one.account_id, one.mode].copy()
        names = [one.participant for one in opened]

        async def join() -> None:
            # In this order: a run waits for us at marks after the join, and at the last before it.
            await tape.join_all(self._redis, names, "strategy")
            last = await tape.newest_mark(self._redis, "strategy")
            for one in opened:
                one.cursor, one.mark = last or (BEGINNING, None)

        await until_done("join", join)
        for one in opened:
            one.desk.note("info", "started", {})
        saved = await self.save(opened)
        await self._acknowledge_past(saved)
        for one in saved:
            log.info("deployment_started", deployment=str(one.id), tape=one.cursor)
        return saved

    async def _resume(self, record: DeploymentRecord, deployment: Deployment) -> Deployment | None:
        """After a pause: from the next mark on, with what the books say now. All that it had
        decided before was sent, and nothing of it is sent again."""
        books = await until_done(
            "books", lambda: self._store.read_books(record.account_id, record.mode, record.id)
        )
        deployment.portfolio = books
        deployment.desk.note("info", "resumed", {})
        change = Change(record.version, record.parameters, record.strategy_version)

        async def join() -> None:
            await tape.join(self._redis, record.participant, "strategy")
            if last := await tape.newest_mark(self._redis, "strategy"):
                deployment.skip_to(*last)

        await until_done("join", join)
        if change.version != deployment.record.version:
            changed = await self.change(deployment, change)
            if changed is None:
                return None
            deployment = changed
        elif not await self.save([deployment]):
            return None
        await self._acknowledge_past([deployment])
        log.info("deployment_resumed", deployment=str(record.id), tape=deployment.cursor)
        return deployment

    async def _take_over(self, deployment: Deployment) -> None:
        await until_done("join", lambda: tape.join(self._redis, deployment.participant, "strategy"))
        # The predecessor may have died before it sent them, or before it acknowledged.
        await self._dispatch.send([deployment])
        await until_done("gap", lambda: self._notice_gap(deployment))
        await self._acknowledge_past([deployment])
        log.info("deployment_taken_over", deployment=str(deployment.id), tape=deployment.cursor)

    async def _notice_gap(self, deployment: Deployment) -> None:
        """The tape of a run that nobody paces is cut off behind its end, readers or no readers."""
        committed = cast(
            "bytes | None", await self._redis.hget(TAPE_COMMITTED, deployment.participant)
        )
        reached = max(
            position(deployment.cursor), position(committed.decode()) if committed else (0, 0)
        )
        oldest = entries(await self._redis.xrange(TAPE, count=1))
        if oldest and position(oldest[0].id) > reached:
            log.warning("tape_gap", deployment=str(deployment.id), oldest=oldest[0].id)
            deployment.market.reset()

    async def _acknowledge_past(self, deployments: Sequence[Deployment]) -> None:
        """All of them have the same mark and the same snapshot's place behind them."""
        if not deployments or (mark := deployments[0].mark) is None:
            return
        await self._ownership.make_certain()
        names = [one.participant for one in deployments if self._ownership.owns(one.id)]
        if names:
            cursor = deployments[0].durable_cursor
            await until_done(
                "acknowledgement",
                lambda: tape.acknowledge(self._redis, names, mark, "strategy", cursor),
            )

    async def save(self, deployments: list[Deployment]) -> list[Deployment]:
        """One transaction for all; those that are saved. The others have another owner now.

        A deployment whose state can't be stored is paused.
        """
        saves: list[Save] = []
        good: list[Deployment] = []
        for deployment in deployments:
            try:
                with self._watchdog.over(deployment.id, deployment.strategy_class):
                    snapshot = deployment.snapshot()
            except HookError as error:
                await self.pause(deployment.record, str(error))
                continue
            saves.append(
                Save(
                    deployment.id,
                    snapshot,
                    deployment.cursor,
                    deployment.journal.signals,
                    deployment.journal.new_signals,
                    deployment.journal.new_lines,
                    deployment.journal.new_points,
                    deployment.record.version,
                    deployment.version_is_new,
                    market_time(deployment.mark.at_ns) if deployment.mark else None,
                )
            )
            good.append(deployment)
        leases = self._ownership.leases([deployment.id for deployment in good])
        if leases:
            for lost in await until_done("save", lambda: self._store.save(leases, saves)):
                log.warning("deployment_lost", deployment=str(lost))
                self._ownership.drop(lost)
        saved = [deployment for deployment in good if self._ownership.owns(deployment.id)]
        for deployment in saved:
            deployment.saved()
        return saved

    async def pause(
        self, record: DeploymentRecord, error: str, failed: Deployment | None = None
    ) -> None:
        """It alone: the run and the others go on without it.

        What is kept of `failed` is its state before the moment that failed.
        """
        PAUSED.inc()
        log.error("deployment_paused", deployment=str(record.id), error=error)
        if failed is not None and failed.started and failed.heard is not None:
            await self._keep_state(failed, failed.heard, error)
        await self._end_orders(record, _ENTRIES)
        await self._end(record, "paused", error)

    async def _keep_state(
        self, failed: Deployment, heard: list[Callable[[Deployment], object]], error: str
    ) -> None:
        snapshot = await until_done("snapshot", lambda: self._store.snapshot(failed.id))
        try:
            again = await asyncio.to_thread(
                self._make_again, replace(failed.record, snapshot=snapshot), heard
            )
            if again is not None:
                again.desk.lines = failed.desk.lines  # those of the moment that failed, too
                again.desk.note("error", error, {})
                await self.save([again])
                return
        except HookError:
            pass
        # It came out differently this time; the stored snapshot stands, which is a little older.
        log.warning("state_not_repeatable", deployment=str(failed.id))

    async def end_as_wanted(self, deployment: Deployment, wish: Wish) -> None:
        if wish.wanted == "stopped":
            await self.stop(deployment.record, deployment)
        else:
            await self._suspend(deployment.record, deployment, wish)

    async def let_wait(self, record: DeploymentRecord, wish: Wish) -> None:
        """As it was stored, or as it was asked for: nothing of it runs. What another worker had
        running may have stored orders that it has not sent: they are sent first."""
        if record.snapshot is not None and record.status == "running":
            await self.bring_up(record, wish)
            return
        log.warning("deployment_waits", deployment=str(record.id), hold=wish.hold)
        await self._end_orders(record, _ENTRIES)
        await self._end(record, "paused", None, wish.hold)

    async def _suspend(self, record: DeploymentRecord, deployment: Deployment, wish: Wish) -> None:
        """It is wanted paused, or has to wait: its state is kept. Why it is wanted paused is in
        `last_error` already."""
        PAUSED.inc()
        log.warning("deployment_suspended", deployment=str(record.id), hold=wish.hold)
        if wish.hold is None:
            deployment.desk.note("info", "paused", {"working_orders": wish.pause_orders})
        else:
            deployment.desk.note("warning", "waits", {"reason": wish.hold})
        if deployment.started and not await self.save([deployment]):
            return
        await self._end_orders(record, _ENDED_BY_PAUSE[wish.pause_orders])
        await self._end(record, "paused", None, wish.hold)

    async def _end_orders(self, record: DeploymentRecord, adding: Container[bool]) -> None:
        """Cancel the deployment's working orders of this kind, but for its last words."""
        look = partial(self._store.working_orders, record.account_id, record.mode, record.id)
        working = await until_done("orders", look)
        await self._dispatch.cancel(
            record,
            [
                (order.id, order.client_order_id)
                for order in working
                if order.adds in adding and not record.is_last_word(order.client_order_id)
            ],
        )

    async def stop(self, record: DeploymentRecord, deployment: Deployment | None) -> None:
        """Last words, then its working orders end, then it. None for a paused one: it is mute."""
        error = None
        if deployment is not None and deployment.started:
            error = await self._hear_last_words(deployment)
            if not self._ownership.owns(record.id):
                return
        await self._end_orders(record, _ALL)
        await self._end(record, "stopped", error)
        log.info("deployment_stopped", deployment=str(record.id))

    async def _hear_last_words(self, deployment: Deployment) -> str | None:
        """The traceback when `on_stop` raised: it is stopped all the same."""
        if not deployment.stopping:
            try:
                with self._watchdog.over(deployment.id, deployment.strategy_class):
                    deployment.stop()
            except HookError as error:
                return str(error)
            deployment.desk.note("info", "stopped", {})
            if not await self.save([deployment]):
                return None
        await self._dispatch.send([deployment])
        return None

    async def _end(
        self, record: DeploymentRecord, status: str, error: str | None, hold: str | None = None
    ) -> None:
        lease = self._ownership.lease(record.id)
        await self._ownership.make_certain()
        if lease is None or not self._ownership.owns(record.id):
            return
        # Off the tape first: a participant that nobody speaks for would hold up every run.
        await until_done("leave", lambda: tape.leave(self._redis, record.participant))
        try:
            await until_done("end", lambda: self._store.end(lease, status, error, hold))
        except LeaseLostError:
            log.warning("deployment_lost", deployment=str(record.id))
        self._ownership.drop(record.id)
