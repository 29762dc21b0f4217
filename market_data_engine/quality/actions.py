"""The quality of candles, worked out of what is stored whenever somebody asks."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from market_data_engine.backfill import cursors, repository
from market_data_engine.backfill.gaps import sessions
from market_data_engine.backfill.healing import SETTLE_NS, StoredMinutes
from market_data_engine.backfill.queue import JobQueue
from market_data_engine.errors import Refused
from market_data_engine.feeds.presence import Span
from market_data_engine.metrics import QUALITY_SCORE
from market_data_engine.providers.configuration import TIERS, Tier
from market_data_engine.quality.schemas import (
    QualityItem,
    QualityList,
    QualityParts,
    QualityTimeframe,
)
from market_data_engine.quality.score import Assessment, assess
from market_data_engine.store.store import StoreAwayError
from shared.candles.calendar import Session, SessionCalendar
from shared.candles.timeframes import DAY_NS
from shared.utils.tasks import end_tasks

log = structlog.get_logger()

_EPOCH_DAY = date(1970, 1, 1)
_DAYS = 7
_MOST_DAYS = 366
#: Sessions that one page looks at, whatever is found there.
_LOOKED_AT: Final = 500
#: Symbols of a tier whose day is looked at for the metric.
_SAMPLE: Final = 50
_MEASURE_PAUSE_S: Final = 300.0
_CURSOR = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})_(\S{1,32})")


@dataclass(frozen=True, slots=True)
class Question:
    timeframe: QualityTimeframe
    #: None: those of the tier, or of the whole universe.
    symbols: list[str] | None = None
    tier: Tier | None = None
    first: date | None = None
    #: Inclusive.
    last: date | None = None
    #: Only what scores less.
    below: float | None = None
    cursor: str | None = None
    limit: int = 100


class QualityDesk:
    """`calendar_of` raises KeyError for a symbol that is in no catalogue."""

    def __init__(
        self,
        queue: JobQueue,
        stored: StoredMinutes,
        calendar_of: Callable[[str], SessionCalendar],
        universe: Callable[[], Mapping[Tier, Sequence[str]]],
        *,
        leads: Callable[[], bool] = lambda: False,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._queue = queue
        self._stored = stored
        self._calendar_of = calendar_of
        self._universe = universe
        self._leads = leads
        self._wall_ns = wall_ns

    async def page(self, question: Question) -> QualityList | Refused:
        """By symbol, then newest first. A page may have fewer than `limit` and yet not be the
        last: `below` leaves out what was looked at."""
        days = self._days(question)
        after = _position(question.cursor)
        if isinstance(days, Refused) or isinstance(after, Refused):
            return days if isinstance(days, Refused) else after  # type: ignore[return-value]
        items: list[QualityItem] = []
        looked_at = 0
        for symbol in self._symbols(question):
            if after is not None and symbol < after[0]:
                continue
            try:
                calendar = await asyncio.to_thread(self._calendar_of, symbol)
            except KeyError:
                if question.symbols is None:
                    continue
                return Refused("unknown_symbol", f"{symbol} is in no catalogue.")
            for session in self._sessions(calendar, *days):
                if after is not None and symbol == after[0] and session.date >= after[1]:
                    continue
                looked_at += 1
                found = await self._assess(symbol, question.timeframe, session)
                if found is not None and (question.below is None or found.score < question.below):
                    items.append(_item(symbol, question.timeframe, session, found))
                if len(items) == question.limit or looked_at == _LOOKED_AT:
                    return QualityList(items=items, next_cursor=f"{session.date}_{symbol}")
        return QualityList(items=items, next_cursor=None)

    # --- the metric ------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Until the block ends, while this engine carries the market."""
        task = asyncio.create_task(self._measure_always(), name="quality")
        try:
            yield
        finally:
            await end_tasks([task])

    async def _measure_always(self) -> None:
        while True:
            await asyncio.sleep(_MEASURE_PAUSE_S)
            try:
                if self._leads():
                    await self.measure()
            except (SQLAlchemyError, StoreAwayError) as error:
                log.warning("quality_not_measured", error=repr(error))
            except Exception as error:
                log.error("quality_fault", exc_info=error)

    async def measure(self) -> None:
        for tier, symbols in self._universe().items():
            chosen = list(symbols)
            if len(chosen) > _SAMPLE:
                chosen = Random().sample(chosen, _SAMPLE)  # noqa: S311 - a sample
            scores = [score for symbol in chosen if (score := await self._last(symbol)) is not None]
            if scores:
                QUALITY_SCORE.labels(tier).set(sum(scores) / len(scores))

    async def _last(self, symbol: str) -> float | None:
        """The score of the session under way, or of the last one."""
        today = datetime.fromtimestamp(self._wall_ns() / 1e9, UTC).date()
        try:
            calendar = await asyncio.to_thread(self._calendar_of, symbol)
        except KeyError:  # named, but nobody has told of it yet
            return None
        for session in self._sessions(calendar, today - timedelta(days=4), today):
            found = await self._assess(symbol, "1m", session)
            if found is not None:
                return found.score
        return None

    # --- what there is to look at ----------------------------------------------------------------

    def _symbols(self, question: Question) -> list[str]:
        if question.symbols is not None:
            return sorted(set(question.symbols))
        universe = self._universe()
        tiers = TIERS if question.tier is None else (question.tier,)
        return sorted({symbol for tier in tiers for symbol in universe.get(tier, ())})

    def _days(self, question: Question) -> tuple[date, date] | Refused:
        last = question.last or datetime.fromtimestamp(self._wall_ns() / 1e9, UTC).date()
        first = question.first or last - timedelta(days=_DAYS - 1)
        if first > last or (last - first).days >= _MOST_DAYS or first < _EPOCH_DAY:
            return Refused(
                "invalid_range", f"from must not be after to, and at most {_MOST_DAYS} days before."
            )
        return first, last

    def _sessions(self, calendar: SessionCalendar, first: date, last: date) -> Iterator[Session]:
        """Those of these days that have begun, newest first."""
        # A session may begin on the day before its date, in UTC.
        from_ns = max(0, (first - _EPOCH_DAY).days - 1) * DAY_NS
        until_ns = min(((last - _EPOCH_DAY).days + 2) * DAY_NS, self._wall_ns())
        found = [one for one in sessions(calendar, from_ns, until_ns) if first <= one.date <= last]
        return reversed(found)

    async def _assess(
        self, symbol: str, timeframe: QualityTimeframe, session: Session
    ) -> Assessment | None:
        from_ns, until_ns = session.open_ns, session.close_ns

        def quiet(connection: Connection) -> list[Span]:
            return [
                *cursors.spans(connection, symbol, "live", from_ns),
                *repository.asked(connection, symbol, from_ns, only_done=True),
            ]

        spans = await self._queue.transact(quiet)
        candles = await self._stored.between(symbol, from_ns, until_ns, timeframe)
        settled_ns = self._wall_ns() - SETTLE_NS
        return assess(session, timeframe, settled_ns, candles, spans)


def _item(
    symbol: str, timeframe: QualityTimeframe, session: Session, found: Assessment
) -> QualityItem:
    return QualityItem(
        symbol=symbol,
        timeframe=timeframe,
        day=session.date,
        score=found.score,
        parts=QualityParts(**{name: round(part, 4) for name, part in found.parts().items()}),
        expected=found.expected,
        present=found.present,
        quiet=found.quiet,
        partial=found.partial,
        healed=found.healed,
        corrected=found.corrected,
        longest_gap=found.longest_gap,
        sources=list(found.sources),
    )


def _position(cursor: str | None) -> tuple[str, date] | Refused | None:
    if cursor is None:
        return None
    parts = _CURSOR.fullmatch(cursor)
    try:
        if parts is not None:
            return parts[2], date.fromisoformat(parts[1])
    except ValueError:
        pass
    return Refused("invalid_cursor", "The cursor is none of ours.")
