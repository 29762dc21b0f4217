"""Taking in market files: written aside, checked whole, then kept under their hash."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import Engine

from market_data_engine.instruments import repository as instruments
from market_data_engine.instruments.actions import DEFAULT_EXCHANGE, add_symbols
from market_data_engine.market_files import repository
from market_data_engine.market_files.receiving import receive
from market_data_engine.market_files.schemas import MarketFile, MarketFileList
from shared.calendars import Calendars
from shared.candles.errors import OutsideCalendarError
from shared.market_files.lines import MarketFileError
from shared.market_files.reading import FileSummary, summarize

#: What an upload that died with its process left is removed at the next start after this time.
_ABANDONED_AFTER_S = 3600.0
#: Each check uses a core and some hundred MB.
_CHECKS_AT_ONCE = 2


class MarketFiles:
    def __init__(
        self, engine: Engine, calendars: Calendars, folder: Path, max_bytes: int, max_rows: int
    ) -> None:
        self._engine = engine
        self._calendars = calendars
        self._incoming = folder / "incoming"
        self._kept = folder / "files"
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    def prepare(self) -> None:
        """Make the folders, and remove what died half-written."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._kept.mkdir(parents=True, exist_ok=True)
        oldest = time.time() - _ABANDONED_AFTER_S
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    async def put(self, name: str, body: AsyncIterator[bytes]) -> tuple[MarketFile, bool]:
        """The file, and whether its content is new here.

        Raises FileTooLargeError, MarketFileError, or whatever breaks the body off; then nothing
        has changed.
        """
        part = self._incoming / f"{uuid4().hex}.part"
        try:
            sha256 = await receive(part, body, self._max_bytes)
            async with self._checks:
                return await asyncio.to_thread(self._accept, part, name, sha256)
        finally:
            part.unlink(missing_ok=True)

    def _accept(self, part: Path, name: str, sha256: str) -> tuple[MarketFile, bool]:
        summary = summarize(part, name, self._max_rows)
        self._check_times(name, summary)
        # The file first: one that no row names is harmless, a row without its file is not.
        part.replace(self.path(sha256))
        with self._engine.begin() as connection:
            add_symbols(connection, summary.symbols, DEFAULT_EXCHANGE)
            return repository.add(connection, name, sha256, summary)

    def _check_times(self, name: str, summary: FileSummary) -> None:
        """The sessions of each symbol's exchange must be known at the time of its prints."""
        with self._engine.connect() as connection:
            known = instruments.exchanges(connection, summary.symbols)
        for exchange in {known.get(symbol, DEFAULT_EXCHANGE) for symbol in summary.symbols}:
            calendar = self._calendars.of(exchange)
            try:
                calendar.session_at(summary.first_ns)
                calendar.session_at(summary.last_ns)
            except OutsideCalendarError as error:
                raise MarketFileError(
                    name, None, f"its times are outside the known calendar of {exchange} ({error})"
                ) from None

    def path(self, sha256: str) -> Path:
        return self._kept / sha256

    def find_all(self, ids: Sequence[UUID]) -> dict[UUID, MarketFile]:
        with self._engine.connect() as connection:
            return repository.find_all(connection, ids)

    def newest(self, cursor: UUID | None, limit: int) -> MarketFileList:
        with self._engine.connect() as connection:
            found = repository.newest(connection, cursor, limit + 1)
        more = len(found) > limit
        items = found[:limit]
        return MarketFileList(items=items, next_cursor=str(items[-1].id) if more else None)
