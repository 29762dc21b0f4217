"""The database side of one shard: each method is one transaction that first proves the lease."""

from sqlalchemy import Engine

from order_processor.shards import lookup, recovery, repository
from order_processor.shards.batch import Batch, MarketRecords
from order_processor.shards.state import Cursors, LastSeen, Lookup, StoredShard, Unknowns
from shared.database import DatabaseThread
from shared.database.leases import Lease, acquire, hold, release, renew

LEASE_KIND = "order_shard"


class Journal:
    """Writes keep their order: they run one after another in a thread of the shard's own.

    Look-ups have a thread and a connection of their own, so that they don't wait for a commit.
    """

    def __init__(self, engine: Engine, shard: int, shards: int, lease_duration_s: float) -> None:
        self._engine = engine
        self._shard = shard
        self._shards = shards
        self._lease_duration_s = lease_duration_s
        self._thread = DatabaseThread(f"orders-{shard}")
        self._reading = DatabaseThread(f"orders-{shard}-reading")

    def close(self) -> None:
        self._reading.close()
        self._thread.close()

    # --- the lease ---------------------------------------------------------------------------

    async def acquire(self, owner: str) -> Lease | None:
        """Waits for the write of a former owner that is under way."""

        def work() -> Lease | None:
            with self._engine.begin() as connection:
                return acquire(
                    connection, LEASE_KIND, str(self._shard), owner, self._lease_duration_s
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
        def work() -> Lookup:
            # A transaction would take two more round trips, and show nothing else.
            with self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as connection:
                return lookup.look_up(connection, unknown, last_seen)

        return await self._reading.run(work)

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
        """Everything or nothing. LeaseLostError and CursorMovedError: nothing."""

        def work() -> None:
            with self._engine.begin() as connection:
                hold(connection, lease)
                repository.write(
                    connection,
                    self._shard,
                    batch,
                    market,
                    before=before,
                    after=after,
                )

        await self._thread.run(work)
