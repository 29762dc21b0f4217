"""Candles from files into the store, and what the store has."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine

from market_data_engine.candle_files.intervals import candles_of
from market_data_engine.candle_files.schemas import ImportedFile, ImportedSeries, StoredSeries
from market_data_engine.history.memory import CandleMemory
from market_data_engine.instruments import repository as instruments
from market_data_engine.instruments.actions import add_symbols
from market_data_engine.market_files.receiving import receive
from market_data_engine.store.store import CandleStore
from market_data_engine.store.stored import StoredCandle
from shared.calendars import Calendars
from shared.market_files.errors import MOST_PROBLEMS, CandleFileError
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle

SOURCE = "import"
#: All of a file is in memory while it is checked.
MAX_ROWS = 2_000_000
_ROWS_A_WRITE = 5000
_IMPORTS_AT_ONCE = 1


class CandleFiles:
    def __init__(
        self,
        engine: Engine,
        calendars: Calendars,
        store: CandleStore,
        memory: CandleMemory,
        folder: Path,
        max_bytes: int,
    ) -> None:
        """`folder` is the market files' own: what a killed process leaves there is removed."""
        self._engine = engine
        self._calendars = calendars
        self._store = store
        self._memory = memory
        self._incoming = folder / "incoming"
        self._max_bytes = max_bytes
        self._imports = asyncio.Semaphore(_IMPORTS_AT_ONCE)

    async def put(
        self, name: str, body: AsyncIterator[bytes], timeframe: Timeframe, exchange: str
    ) -> ImportedFile:
        """Nothing is stored of a file in which anything is wrong: CandleFileError,
        FileTooLargeError, UnknownExchangeError.

        Candles that are there already are replaced. StoreAwayError when the store goes away in
        between: part of it may be stored then, and importing it again stores the rest.
        """
        part = self._incoming / f"{uuid4().hex}.part"
        try:
            await receive(part, body, self._max_bytes)
            async with self._imports:
                series = await asyncio.to_thread(self._check, part, name, timeframe, exchange)
                known_ns = time.time_ns()
                for candles in series:
                    for first in range(0, len(candles), _ROWS_A_WRITE):
                        batch = [
                            StoredCandle(candle, SOURCE, "complete", known_ns)
                            for candle in candles[first : first + _ROWS_A_WRITE]
                        ]
                        await asyncio.to_thread(self._store.write, batch)
        finally:
            part.unlink(missing_ok=True)
        for candles in series:
            self._memory.forget_earlier(candles[0].symbol, timeframe)
        items = [
            ImportedSeries(
                symbol=candles[0].symbol,
                candles=len(candles),
                first=_moment(candles[0].start_ns),
                last=_moment(candles[-1].start_ns),
            )
            for candles in series
        ]
        count = sum(item.candles for item in items)
        return ImportedFile(timeframe=timeframe, candles=count, items=items)

    def _check(
        self, part: Path, name: str, timeframe: Timeframe, exchange: str
    ) -> list[list[Candle]]:
        from shared.market_files.candles import read_candles  # polars, for an import alone

        frames = read_candles((part,), (name,))
        if sum(frame.height for frame in frames.values()) > MAX_ROWS:
            raise CandleFileError(f"{name} has more than {MAX_ROWS} candles: import it in parts")
        self._calendars.of(exchange)
        with self._engine.connect() as connection:
            exchanges = instruments.exchanges(connection, list(frames))
        series: list[list[Candle]] = []
        problems: list[str] = []
        for symbol, frame in frames.items():
            calendar = self._calendars.of(exchanges.get(symbol, exchange))
            candles, wrong = candles_of(
                Symbol(symbol),
                timeframe,
                frame.iter_rows(),
                calendar,
                MOST_PROBLEMS - len(problems),
            )
            series.append(candles)
            problems += wrong
            if len(problems) >= MOST_PROBLEMS:
                break
        if problems:
            raise CandleFileError(*problems)
        with self._engine.begin() as connection:
            add_symbols(connection, list(frames), exchange)
        return series

    async def stored(self, symbol: str | None) -> Sequence[StoredSeries]:
        """By symbol, then small timeframes first. Raises StoreAwayError."""
        found = await asyncio.to_thread(self._store.series, None if symbol is None else symbol)
        return [
            StoredSeries(
                symbol=one.symbol,
                timeframe=one.timeframe,
                candles=one.candles,
                first=_moment(one.first_ns),
                last=_moment(one.last_ns),
                sources=one.sources,
            )
            for one in found
        ]


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
