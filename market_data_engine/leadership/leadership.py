"""One engine carries the market, the others stand by: a lease, kept while the process lives."""

import asyncio
import contextlib
import time
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
    """`on_gain` is called after the lease was taken, `on_loss` after it was lost."""

    def __init__(self, engine: Engine, thread: DatabaseThread, duration_s: float) -> None:
        self._engine = engine
        self._thread = thread
        self._duration_s = duration_s
        self._owner = uuid4().hex
        self._lease: Lease | None = None
        #: Monotonic time until which nobody else can have taken the lease.
        self._safe_until_s = 0.0

    @property
    def held(self) -> bool:
        return self._lease is not None and time.monotonic() < self._safe_until_s

    def require(self) -> None:
        """Raises LeadershipLostError when another engine may have taken over."""
        if not self.held:
            raise LeadershipLostError("another engine may carry the market by now")

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
            held_before = self._lease is not None
            try:
                await self._acquire_or_renew()
                if self._lease is not None and not held_before:
                    await on_gain()
            except (SQLAlchemyError, LeaseLostError) as error:
                log.warning("lease_not_kept", error=repr(error))
                if isinstance(error, LeaseLostError) or not held_before:
                    self._lease = None
            if held_before and not self.held:
                self._lease = None
                await on_loss()
            LEADING.set(self.held)
            await asyncio.sleep(self._duration_s / 3)

    async def _acquire_or_renew(self) -> None:
        asked_s = time.monotonic()
        lease = self._lease
        if lease is None:
            self._lease = await self._thread.run(self._in_transaction, self._acquire)
        else:
            await self._thread.run(
                self._in_transaction, lambda connection: renew(connection, lease, self._duration_s)
            )
        if self._lease is not None:
            self._safe_until_s = asked_s + self._duration_s

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
