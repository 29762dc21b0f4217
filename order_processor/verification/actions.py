"""Checking the books: on demand, and once a night."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from uuid import UUID

import structlog

from order_processor.metrics import BOOKS_CHECKED_AT, BOOKS_DIFFERENCES
from order_processor.verification.differences import MOST_KEPT, BooksCheck, Difference
from order_processor.verification.repository import BooksReader, ChecksTable

log = structlog.get_logger()

_PROGRESS_EVERY_S = 1.0
_LOOK_EVERY_S = 60.0
_MOST_LOGGED = 20
#: Checks that wait for their turn, the one that runs included.
MOST_WAITING = 4


class Verification:
    def __init__(self, reader: BooksReader, table: ChecksTable) -> None:
        self._reader = reader
        self._table = table
        #: One after another: a check reads everything.
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def close(self) -> None:
        """Checks under way end after the books that they are at, and have failed."""
        self._closing = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, requested_by: str, account_id: UUID | None) -> BooksCheck | None:
        """The check, which goes on by itself; None when too many wait already."""
        if len(self._tasks) >= MOST_WAITING:
            return None
        check_id = await asyncio.to_thread(self._table.begin, requested_by, account_id)
        assert check_id is not None, "only nights collide"
        task = asyncio.create_task(self._run_in_turn(check_id, account_id), name="books check")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await self.get(check_id)

    async def get(self, check_id: UUID) -> BooksCheck | None:
        return await asyncio.to_thread(self._table.get, check_id)

    async def last(self) -> BooksCheck | None:
        return await asyncio.to_thread(self._table.last)

    async def every_night(self, hour: int, wall: Callable[[], datetime]) -> None:
        """From `hour` (UTC) on, once a day among all processes, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.check_tonight(hour, wall())

    async def check_tonight(self, hour: int, now: datetime) -> bool:
        """Whether the check fell to us, and was done."""
        if now.hour < hour:
            return False
        try:
            check_id = await asyncio.to_thread(self._table.begin, "nightly", None, now.date())
        except Exception as error:  # noqa: BLE001 - Postgres is away: look again in a minute
            log.warning("books_check_delayed", error=repr(error))
            return False
        if check_id is None:
            return False
        await self._run_in_turn(check_id, None)
        return True

    async def _run_in_turn(self, check_id: UUID, account_id: UUID | None) -> None:
        async with self._turn:
            await asyncio.to_thread(self._run, check_id, account_id)

    def _run(self, check_id: UUID, account_id: UUID | None) -> None:
        run = _Run(check_id, self._table)
        try:
            for key in self._reader.keys(account_id):
                if self._closing:
                    run.write("failed", "Its process was stopped.")
                    return
                run.add(*self._reader.check(*key))
            run.write("done")
        except Exception as error:
            log.exception("books_check_failed", check_id=str(check_id))
            run.write("failed", repr(error))
            return
        log.info(
            "books_checked", books=run.books, executions=run.executions, differences=run.differences
        )
        if account_id is None:
            BOOKS_DIFFERENCES.set(run.differences)
            BOOKS_CHECKED_AT.set_to_current_time()


class _Run:
    """What one check has found so far."""

    def __init__(self, check_id: UUID, table: ChecksTable) -> None:
        self._check_id = check_id
        self._table = table
        self._written_at = monotonic()
        self.books = self.executions = self.differences = 0
        self._details: list[Difference] = []

    def add(self, differences: list[Difference], executions: int) -> None:
        self.books += 1
        self.executions += executions
        for each in differences[: max(0, _MOST_LOGGED - self.differences)]:
            log.error(
                "books_differ",
                account_id=str(each.account_id),
                mode=each.mode,
                check=each.check,
                item=each.item,
                expected=each.expected,
                found=each.found,
            )
        self.differences += len(differences)
        self._details += differences[: MOST_KEPT - len(self._details)]
        if monotonic() - self._written_at > _PROGRESS_EVERY_S:
            self.write("running")

    def write(self, status: str, error: str | None = None) -> None:
        self._written_at = monotonic()
        self._table.write(
            self._check_id,
            status,
            books=self.books,
            executions=self.executions,
            differences=self.differences,
            details=self._details,
            error=error,
        )
