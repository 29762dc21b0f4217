"""Completed candles on their way into the store, behind the run's back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from market_data_engine.metrics import STORE_QUEUE
from market_data_engine.store.store import CandleStore
from shared.database import DatabaseThread
from shared.models.market import Candle

log = structlog.get_logger()

_BATCH = 2000
_RETRY_PAUSE_S = 0.5


class CandleWriter:
    """At most `queue_size` candles (and one more batch) wait; then `put` does, and so the run."""

    def __init__(self, store: CandleStore, thread: DatabaseThread, queue_size: int) -> None:
        self._store = store
        self._thread = thread
        self._queue_size = queue_size
        self._waiting: list[tuple[Candle, str]] = []
        self._taken = 0
        self._settled = 0
        self._changed = asyncio.Condition()
        self._failure: BaseException | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What was put before the block ends is stored, or its loss is logged."""
        task = asyncio.create_task(self._write_always(), name="candle-writer")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self._settled < self._taken:
                log.error("candles_not_stored", candles=self._taken - self._settled)

    async def put(self, candles: Sequence[Candle], source: str) -> None:
        """Raises what made the store fail, when it did for good."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._failure or len(self._waiting) < self._queue_size
            )
            self._raise_failure()
            self._waiting += [(candle, source) for candle in candles]
            self._taken += len(candles)
            STORE_QUEUE.set(len(self._waiting))
            self._changed.notify_all()

    async def stored(self) -> None:
        """Returns when all that was put before this call is stored; raises as `put` does."""
        await self.settled()
        self._raise_failure()

    async def settled(self) -> None:
        """Returns when all that was put before this call is stored, or has failed for good."""
        goal = self._taken
        if self._settled < goal:
            async with self._changed:
                await self._changed.wait_for(lambda: self._settled >= goal)

    def forget_failure(self) -> None:
        """A new run begins: what failed was of an earlier one."""
        self._failure = None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the candle store failed") from self._failure

    async def _write_always(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting)
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            await self._write(batch)
            async with self._changed:
                self._settled += len(batch)
                STORE_QUEUE.set(len(self._waiting))
                self._changed.notify_all()

    async def _write(self, batch: Sequence[tuple[Candle, str]]) -> None:
        """As long as the database is away, try again: the run waits, nothing is lost."""
        by_source: dict[str, list[Candle]] = {}
        for candle, source in batch:
            by_source.setdefault(source, []).append(candle)
        for source, candles in by_source.items():
            while True:
                try:
                    await self._thread.run(self._store.write, candles, source)
                except (OperationalError, InterfaceError, PoolTimeoutError) as error:
                    log.warning("candle_store_away", candles=len(candles), error=repr(error))
                    await asyncio.sleep(_RETRY_PAUSE_S)
                except Exception as error:
                    log.error("candle_store_failed", candles=len(candles), exc_info=error)
                    self._failure = error
                    break
                else:
                    break
