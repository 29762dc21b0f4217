"""Data of a job, fetched from the market data engine into the job's folder."""

import csv
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec

from shared.candles.timeframes import LENGTH_NS
from shared.models.identifiers import Timeframe
from shared.service.problems import Problem
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.jobs.files import JobFile

_PAGE = 10_000
#: A live candle that comes later after its end was not heard when it was due.
_LATE = timedelta(minutes=5)
_EPOCH = date(1970, 1, 1)
_COLUMNS = ("open", "high", "low", "close", "volume", "vwap", "trades")


class DataAwayError(Exception):
    """The market data engine doesn't give what it has: a later attempt may succeed."""


class TooMuchDataError(Exception):
    def __init__(self, max_rows: int) -> None:
        super().__init__(f"the range has more than {max_rows} candles: shorten it")


class _Item(msgspec.Struct):
    #: As the engine wrote it.
    start: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int
    complete: bool
    #: When the store came to know it; it isn't told of a forming one.
    as_of: datetime | None = None


class _Page(msgspec.Struct):
    items: list[_Item]
    next_cursor: str | None


_decoder = msgspec.json.Decoder(_Page)


def candles_path(symbol: str) -> str:
    return f"/internal/candles/{quote(symbol, safe='')}"


def range_query(start: date | None, end: date | None) -> dict[str, str]:
    """Both days included."""
    query = {"start": _midnight(start or _EPOCH)}
    if end is not None:
        query["end"] = _midnight(end + timedelta(days=1))
    return query


def _midnight(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()


async def has_candles(
    client: httpx.AsyncClient,
    symbol: str,
    timeframe: Timeframe,
    start: date | None,
    end: date | None,
) -> bool:
    """Raises Problem when the engine can't say."""
    query = {"timeframe": timeframe, "limit": "2", **range_query(start, end)}
    try:
        answer = await client.get(candles_path(symbol), params=query)
        answer.raise_for_status()
        items = _decoder.decode(answer.content).items
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        raise Problem(
            503,
            "temporarily_unavailable",
            "The candles can't be looked at now. Try again shortly.",
            headers={"Retry-After": "1"},
        ) from error
    return any(item.complete for item in items)


class DataSource:
    """Blocking: for a job's own process."""

    def __init__(self, client: httpx.Client, folder: Path) -> None:
        self._client = client
        self._folder = folder

    def candles(
        self,
        symbols: list[str],
        timeframe: Timeframe,
        start: date | None,
        end: date | None,
        max_rows: int,
    ) -> Path:
        """A file of all candles, symbol after symbol: equal candles make equal bytes."""
        path = self._folder / "candles.csv"
        rows = 0
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("symbol", "timestamp", *_COLUMNS))
            for symbol in symbols:
                before = rows
                for item in self._items(symbol, timeframe, start, end):
                    rows += 1
                    if rows > max_rows:
                        raise TooMuchDataError(max_rows)
                    values = (repr(getattr(item, name)) for name in _COLUMNS)
                    writer.writerow((symbol, item.start, *values))
                if rows == before:
                    raise BadBacktestError(
                        f"there are no {timeframe} candles of {symbol} in the range"
                    )
        return path

    def corrected_from(
        self,
        symbols: list[str],
        timeframe: Timeframe,
        start: date | None,
        end: date | None,
        began_at: datetime,
        ended_at: datetime | None,
    ) -> dict[str, datetime]:
        """Start of each symbol's first candle that a run, which began and ended then, did not hear
        as it is now; one of live data hasn't ended."""
        found = {}
        length = timedelta(microseconds=LENGTH_NS[timeframe] // 1000)
        for symbol in symbols:
            for item in self._items(symbol, timeframe, start, end):
                begin = datetime.fromisoformat(item.start)
                known_by = ended_at or max(began_at, begin + length + _LATE)
                if item.as_of is not None and item.as_of > known_by:
                    found[symbol] = begin
                    break
        return found

    def _items(
        self, symbol: str, timeframe: Timeframe, start: date | None, end: date | None
    ) -> Iterator[_Item]:
        """The complete ones."""
        cursor: str | None = None
        while True:
            page = self._page(symbol, timeframe, start, end, cursor)
            yield from (item for item in page.items if item.complete)
            cursor = page.next_cursor
            if cursor is None:
                return

    def _page(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: date | None,
        end: date | None,
        cursor: str | None,
    ) -> _Page:
        query = {"timeframe": timeframe, "limit": str(_PAGE), **range_query(start, end)}
        if cursor is not None:
            query["cursor"] = cursor
        try:
            answer = self._client.get(candles_path(symbol), params=query)
            answer.raise_for_status()
            return _decoder.decode(answer.content)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise DataAwayError("the candle store did not answer") from error

    def file(self, known: JobFile) -> Path:
        """The file under its name; it is what was uploaded, to the byte."""
        folder = self._folder / known.sha256
        folder.mkdir()
        path = folder / known.name
        digest = hashlib.sha256()
        try:
            with (
                self._client.stream("GET", file_path(known.id)) as answer,
                path.open("wb") as file,
            ):
                answer.raise_for_status()
                for piece in answer.iter_bytes():
                    digest.update(piece)
                    file.write(piece)
        except httpx.HTTPError as error:
            raise DataAwayError(f"the file {known.name} can't be read") from error
        if digest.hexdigest() != known.sha256:
            raise DataAwayError(f"the file {known.name} did not come whole")
        return path


def file_path(file_id: UUID) -> str:
    return f"/internal/market-files/{file_id}/content"
