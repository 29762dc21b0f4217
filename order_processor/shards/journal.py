"""The database side of one shard: each method is one transaction that first proves the lease."""

from uuid import UUID

import psycopg2
from psycopg2.errors import RaiseException
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from order_processor.corporate_actions.late import HeldThen, held_then
from order_processor.errors import CursorMovedError, ShardFault, UnstorableError
from order_processor.shards import lookup, recovery, repository
from order_processor.shards.batch import Batch, MarketRecords
from order_processor.shards.state import Cursors, LastSeen, Lookup, StoredShard, Unknowns
from shared.database import DatabaseThread
from shared.database.leases import HOLD, Lease, LeaseLostError, acquire, hold, release, renew
from shared.database.line import Line
from shared.trading.corporate_actions import CorporateAction

LEASE_KIND = "order_shard"
_ANY_ORDER = "SELECT 1 FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) LIMIT 1"


class Journal:
    """What happens many times a second, the commit of a batch and the look-up of its orders' ids,
    is one message each over a connection that the loop waits for. The rest runs in threads.

    Writes keep their order: the owner begins none before the one before it has ended, and whoever
    takes the lease waits in Postgres for what is still under way. Look-ups don't wait for commits.
    """

    def __init__(self, engine: Engine, shard: int, shards: int, lease_duration_s: float) -> None:
        self._engine = engine
        self._shard = shard
        self._shards = shards
        self._lease_duration_s = lease_duration_s
        self._committing = Line(engine)
        self._looking_up = Line(engine)
        self._thread = DatabaseThread(f"orders-{shard}")
        self._reading = DatabaseThread(f"orders-{shard}-reading")

    def close(self) -> None:
        self._looking_up.close()
        self._committing.close()
        self._reading.close()
        self._thread.close()

    # --- the lease ---------------------------------------------------------------------------

    async def acquire(self, owner: str, *, leave_returned_s: float = 0.0) -> Lease | None:
        """Waits for the write of a former owner that is under way."""

        def work() -> Lease | None:
            with self._engine.begin() as connection:
                return acquire(
                    connection,
                    LEASE_KIND,
                    str(self._shard),
                    owner,
                    self._lease_duration_s,
                    leave_returned_s=leave_returned_s,
                )

        return await self._thread.run(work)

    def renew(self, lease: Lease) -> None:
        """Synchronous, for a thread of the caller's: it must not queue behind long work."""
        with self._engine.begin() as connection:
            renew(connection, lease, self._lease_duration_s)

    async def release(self, lease: Lease) -> None:
        def work() -> None:
            with self._engine.begin() as connection:
                release(connection, lease)

        await self._thread.run(work)

    # --- reading -----------------------------------------------------------------------------

    async def load(self, lease: Lease) -> StoredShard:
        def work() -> StoredShard:
            with self._engine.begin() as connection:
                hold(connection, lease)
                return recovery.load_shard(connection, self._shard, self._shards)

        return await self._thread.run(work)

    async def look_up(self, unknown: Unknowns, last_seen: LastSeen) -> Lookup:
        if unknown.only_orders and not await self._exist(unknown.orders):
            return Lookup([], [], [], [], {}, {}, {}, {})

        def work() -> Lookup:
            # A transaction would take two more round trips, and show nothing else.
            with self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as connection:
                return lookup.look_up(connection, unknown, last_seen)

        return await self._reading.run(work)

    async def _exist(self, orders: set[UUID]) -> bool:
        """Whether any of them does. A new command names an id that doesn't exist yet."""
        # One text is adapted faster than a thousand ids.
        ids = f"{{{','.join(map(str, orders))}}}"
        return bool(await self._looking_up.execute(_ANY_ORDER, {"ids": ids}))

    async def held_then(self, action: CorporateAction) -> list[HeldThen]:
        """As of the last commit."""

        def work() -> list[HeldThen]:
            with self._engine.connect() as connection:
                return held_then(connection, action, self._shard, self._shards)

        return await self._thread.run(work)

    async def unpublished(self, after: int, most: int) -> list[tuple[int, str, int, bytes]]:
        def work() -> list[tuple[int, str, int, bytes]]:
            with self._engine.connect() as connection:
                return recovery.unpublished(connection, self._shard, after, most)

        return await self._thread.run(work)

    # --- writing -----------------------------------------------------------------------------

    async def commit(
        self,
        lease: Lease,
        batch: Batch,
        market: MarketRecords,
        before: Cursors,
        after: Cursors,
    ) -> None:
        """Everything or nothing. LeaseLostError, CursorMovedError and UnstorableError: nothing."""
        try:
            if batch.risk or batch.compared or batch.actions:
                await self._thread.run(self._commit_rare, lease, batch, market, before, after)
            else:
                message, values = repository.message_of(
                    self._shard, batch, market, before=before, after=after
                )
                held = {"kind": lease.kind, "key": lease.key, "epoch": lease.epoch}
                await self._committing.execute(f"{HOLD};\n{message}", {**values, **held})
        except (psycopg2.Error, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(cause, RaiseException) and (said := cause.diag.message_primary) in _NAMED:
                raise _NAMED[said](f"{lease} at {before}") from error
            if isinstance(cause, psycopg2.DataError | psycopg2.IntegrityError):
                raise UnstorableError(
                    after.command, batch.commands, batch.attempts, str(cause)[:500]
                ) from error
            raise

    def _commit_rare(
        self, lease: Lease, batch: Batch, market: MarketRecords, before: Cursors, after: Cursors
    ) -> None:
        with self._engine.begin() as connection:
            hold(connection, lease)
            repository.write(connection, self._shard, batch, market, before=before, after=after)


#: What the message demands of the tables.
_NAMED = {
    "lease_lost": LeaseLostError,
    "cursor_moved": CursorMovedError,
    "action_cancelled": ShardFault,
    "deployment_started": ShardFault,
}
