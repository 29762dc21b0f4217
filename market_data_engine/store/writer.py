"""Completed candles on their way into the store, behind the run's back.

They go to the disk first (see `spool.py`) and from there to the store, in their order, so that
those which a store that is away can't take wait there: for its return, or, when this process dies
before, for the next one that carries the market.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog

from market_data_engine.metrics import STORE_AWAY, STORE_QUEUE
from market_data_engine.store.spool import Batch, Spool
from market_data_engine.store.store import CandleStore, StoreAwayError
from market_data_engine.store.stored import StoredCandle
from shared.database import DatabaseThread

log = structlog.get_logger()

_BATCH = 2000
_RETRY_PAUSE_S = 0.5


class CandleWriter:
    """When `queue_size` candles wait, `put` does too, and so the run; none is dropped."""

    def __init__(
        self, store: CandleStore, thread: DatabaseThread, folder: Path, queue_size: int
    ) -> None:
        """`folder` is for all engines that may follow each other."""
        self._store = store
        self._thread = thread
        self._folder = folder
        self._queue_size = queue_size
        #: Oldest first; the last one is the one that `put` appends to.
        self._spools: list[Spool] = []
        self._taken = 0
        self._settled = 0
        self._away = False
        self._changed = asyncio.Condition()
        self._failure: BaseException | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What was put before the block ends is stored then, or stays on disk."""
        task = asyncio.create_task(self._write_always(), name="candle-writer")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self._waiting:
                log.warning("candles_wait_on_disk", candles=self._waiting)
            # In its thread, and so after a write that can't be cancelled any more.
            await self._thread.run(self._close)

    async def take_over(self) -> None:
        """This engine carries the market from now on: first it stores what others left."""
        left, count, own = await self._thread.run(self._open)
        async with self._changed:
            self._spools += [*left, own]
            self._taken += count
            self._tell()
        if count:
            log.info("candles_left_behind", candles=count, spools=len(left))

    async def put(self, candles: Sequence[StoredCandle]) -> None:
        """Raises what made the store fail, when it did for good; OSError when the disk does."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure or self._waiting < self._queue_size)
            self._raise_failure()
            # Into the operating system's memory: no need for a thread.
            self._spools[-1].append(candles)
            self._taken += len(candles)
            self._tell()

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

    @property
    def _waiting(self) -> int:
        return self._taken - self._settled

    def _tell(self) -> None:
        STORE_QUEUE.set(self._waiting)
        self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the candle store failed") from self._failure

    # --- from the disk into the store ------------------------------------------------------------

    async def _write_always(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting)
            spool = self._spools[0]
            try:
                batch = await self._thread.run(spool.head, _BATCH)
                await self._write(spool, batch)
            except OSError as error:
                log.error("kept_candles_unreadable", folder=str(spool.folder), exc_info=error)
                await asyncio.sleep(_RETRY_PAUSE_S)
                continue
            spool.remove(batch)
            async with self._changed:
                self._settled += batch.lines
                if batch.lines == 0 and len(self._spools) > 1:
                    self._spools.pop(0).close(stored=True)
                elif self._waiting == 0:
                    spool.clear()
                self._tell()

    async def _write(self, spool: Spool, batch: Batch) -> None:
        """As long as the store is away, try again: candles wait, nothing is lost."""
        while batch.entries:
            try:
                await self._thread.run(self._store.write, batch.entries)
            except StoreAwayError as error:
                self._note_away(str(error))
                await asyncio.sleep(_RETRY_PAUSE_S)
            except Exception as error:
                log.error("candle_store_failed", candles=len(batch.entries), exc_info=error)
                # What another engine left is no fault of the run that is under way.
                if spool is self._spools[-1]:
                    self._failure = error
                return
            else:
                self._note_away(None)
                return

    def _note_away(self, error: str | None) -> None:
        """Say once when the store goes, and once when it is back."""
        if self._away == (error is not None):
            return
        self._away = error is not None
        STORE_AWAY.set(self._away)
        if error is not None:
            log.warning("candle_store_away", waiting=self._waiting, error=error)
        else:
            log.info("candle_store_back", waiting=self._waiting)

    # --- the disk --------------------------------------------------------------------------------

    def _open(self) -> tuple[list[Spool], int, Spool]:
        left = Spool.left_behind(self._folder)
        return left, sum(spool.count() for spool in left), Spool.create(self._folder)

    def _close(self) -> None:
        for spool in self._spools:
            spool.close(stored=self._waiting == 0)
