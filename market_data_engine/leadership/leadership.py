"""One engine carries the market, the others stand by: a lease, kept while the process lives.

A lease that ran out is still ours until another engine takes it, so a busy machine or a
database that is away for a while ends no run. An engine that was overtaken learns it at the
next renewal; what it writes until then the tape refuses as soon as its successor has begun a
run (`shared.redis.tape_writer`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from market_data_engine.errors import LeadershipLostError
from market_data_engine.metrics import LEADING
from shared.database import DatabaseThread
from shared.database.leases import Lease, LeaseLostError, acquire, release, renew

log = structlog.get_logger()

T = TypeVar("T")
Hook = Callable[[], Awaitable[None]]


class Leadership:
    """`on_gain` is called when the lease was taken, `on_loss` after it was lost."""

    def __init__(self, engine: Engine, thread: DatabaseThread, duration_s: float) -> None:
        self._engine = engine
        self._thread = thread
        self._duration_s = duration_s
        self._owner = uuid4().hex
        self._lease: Lease | None = None

    @property
    def held(self) -> bool:
        return self._lease is not None

    def require(self) -> None:
        """Raises LeadershipLostError when another engine has taken over."""
        if not self.held:
            raise LeadershipLostError("another engine carries the market")

    @contextlib.asynccontextmanager
    async def kept(self, on_gain: Hook, on_loss: Hook) -> AsyncIterator[None]:
        """Try for the lease and keep it, until the block ends; then let the next engine in."""
        task = asyncio.create_task(self._keep(on_gain, on_loss), name="leadership")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._release()

    async def _keep(self, on_gain: Hook, on_loss: Hook) -> None:
        while True:
            try:
                if self._lease is None:
                    await self._take(on_gain)
                else:
                    await self._renew(self._lease, on_loss)
            except SQLAlchemyError as error:
                log.warning("lease_store_away", error=repr(error))
            except OSError as error:  # of a hook: the disk
                log.error("market_not_taken_over", error=repr(error))
            except Exception as error:
                log.error("leadership_fault", exc_info=error)
            LEADING.set(self.held)
            await asyncio.sleep(self._duration_s / 3)

    async def _take(self, on_gain: Hook) -> None:
        lease = await self._thread.run(self._in_transaction, self._acquire)
        if lease is not None:
            await on_gain()  # when it fails, all of this is tried again
            self._lease = lease
            log.info("leading", epoch=lease.epoch)

    async def _renew(self, lease: Lease, on_loss: Hook) -> None:
        try:
            await self._thread.run(
                self._in_transaction, lambda connection: renew(connection, lease, self._duration_s)
            )
        except LeaseLostError:
            log.warning("overtaken", epoch=lease.epoch)
            self._lease = None
            await on_loss()

    def _acquire(self, connection: Connection) -> Lease | None:
        return acquire(connection, "market_data", "0", self._owner, self._duration_s)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    async def _release(self) -> None:
        lease, self._lease = self._lease, None
        LEADING.set(0)
        if lease is None:
            return
        try:
            await self._thread.run(
                self._in_transaction, lambda connection: release(connection, lease)
            )
        except SQLAlchemyError as error:
            log.warning("lease_not_released", error=repr(error))
