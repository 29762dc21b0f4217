"""A live run goes on with the candles that the run before it was making.

An engine that starts anew, or takes over, knows nothing of the day so far. What has completed is in
the store, and the prints of the minute under way are on the tape: from both a builder is made that
stands where the last one stood when it died.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import structlog
from redis.asyncio import Redis

from market_data_engine.feeds.events import Print
from market_data_engine.history.memory import CandleMemory
from market_data_engine.store.store import CandleStore, StoreAwayError
from market_data_engine.store.stored import StoredCandle
from market_data_engine.store.writer import CandleWriter
from shared.candles.builder import FOLDED_INTO
from shared.candles.calendar import SessionCalendar
from shared.candles.errors import OutsideCalendarError
from shared.candles.folding import fold
from shared.candles.timeframes import DAY_NS, MINUTE_NS
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle, Quotes, RunStarted, TimeMark, Trades
from shared.redis import tape
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice

log = structlog.get_logger()

#: How long the store may take to get what the engine before left on disk.
_SETTLE_S = 10.0
#: What was under way longer ago stays as it was left: a week's candle, and its weekend.
_OLDEST_NS = 10 * DAY_NS
#: More smaller candles than a larger one can have.
_MOST_PARTS = 100

#: What each larger timeframe is folded of.
_FOLDED_OF: dict[Timeframe, Timeframe] = {
    larger: smaller for smaller, all_larger in FOLDED_INTO.items() for larger in all_larger
}
#: The largest first, so that a builder ends in the session of the latest candle.
_LARGER = [timeframe for timeframe in reversed(TIMEFRAMES) if timeframe in _FOLDED_OF]


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the tape, as a live run left it."""

    #: The last mark of the phase `strategy`: what ended by then was told. Candles that no such mark
    #: follows nobody has taken in, so they are made again.
    mark_ns: int
    #: Prints and quotes of the minute under way and later, oldest first.
    pieces: list[Slice]


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an earlier run has left to this one."""

    #: What its prints after its last mark complete.
    completed: list[Candle] = field(default_factory=list)
    #: Those that the forming candles of a minute are made of, as they came.
    prints: list[Print] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """What the store knows of a symbol's intervals that were under way."""

    #: Largest first.
    forming: list[Candle]
    #: What they are folded of, by timeframe, oldest first.
    parts: list[StoredCandle]


class Resumption:
    def __init__(
        self, redis: Redis, store: CandleStore, writer: CandleWriter, memory: CandleMemory
    ) -> None:
        self._redis = redis
        self._store = store
        self._writer = writer
        self._memory = memory

    async def resume(
        self, candles: RunCandles, calendars: Mapping[str, SessionCalendar], now_ns: int
    ) -> Resumed:
        """Put the candles of a run that hasn't begun where the last live run's were. Without a
        store the run begins with nothing."""
        tail = await live_tail(self._redis)
        try:
            async with asyncio.timeout(_SETTLE_S):
                await self._writer.settled()
            found = await asyncio.to_thread(self._under_way, calendars, tail, now_ns)
        except (TimeoutError, StoreAwayError) as error:
            log.warning("candles_not_resumed", error=repr(error))
            return Resumed()
        for under_way in found:
            for stored in under_way.parts:
                self._memory.add(stored)
        pieces = [] if tail is None or now_ns - tail.mark_ns > _OLDEST_NS else tail.pieces
        forming = [one for under_way in found for one in under_way.forming]
        completed = candles.resume(forming, pieces)
        if found:
            log.info("candles_resumed", symbols=len(found), completed=len(completed))
        return Resumed(completed, [one for piece in pieces for one in _prints(piece.trades)])

    def _under_way(
        self, calendars: Mapping[str, SessionCalendar], tail: Tail | None, now_ns: int
    ) -> list[_UnderWay]:
        found = []
        for symbol, calendar in calendars.items():
            at_ns = self._left_at(Symbol(symbol), tail, now_ns)
            if at_ns is None or now_ns - at_ns > _OLDEST_NS:
                continue
            try:
                session = calendar.session_at(at_ns)
            except OutsideCalendarError:
                continue
            spans = {timeframe: session.interval(timeframe, at_ns) for timeframe in _LARGER}
            under_way = self._of_symbol(Symbol(symbol), spans, at_ns, on_tape=tail is not None)
            if under_way.forming:
                found.append(under_way)
        return found

    def _left_at(self, symbol: Symbol, tail: Tail | None, now_ns: int) -> int | None:
        """Until when the symbol's candles have been completed; None when it has none."""
        newest = self._store.last(symbol, "1m", now_ns, 1)
        if not newest:
            return None
        return newest[0].candle.end_ns if tail is None else tail.mark_ns

    def _of_symbol(
        self,
        symbol: Symbol,
        spans: Mapping[Timeframe, tuple[int, int]],
        at_ns: int,
        *,
        on_tape: bool,
    ) -> _UnderWay:
        forming: list[Candle] = []
        #: By timeframe and start: 3m and 5m are both folded of minutes.
        parts: dict[Timeframe, dict[int, StoredCandle]] = {}
        for timeframe in _LARGER:
            start_ns, end_ns = spans[timeframe]
            if not on_tape and self._store.page(symbol, timeframe, start_ns, start_ns + 1, 1):
                continue  # it was completed without another print
            smaller = _FOLDED_OF[timeframe]
            stored = self._store.page(symbol, smaller, start_ns, min(at_ns, end_ns), _MOST_PARTS)
            made_of = [one for one in stored if one.candle.end_ns <= at_ns]
            if made_of:
                parts.setdefault(smaller, {}).update((one.candle.start_ns, one) for one in made_of)
                plain = [one.candle for one in made_of]
                forming.append(fold(plain, timeframe, start_ns, end_ns))
        return _UnderWay(
            forming, [each[start_ns] for each in parts.values() for start_ns in sorted(each)]
        )


async def live_tail(redis: Redis) -> Tail | None:
    """None when the tape doesn't end with a run on the wall clock that came to a mark."""
    mark_ns: int | None = None
    pieces: list[Slice] = []
    #: Since the last entry that says whose run they are of.
    nobodys: list[Slice] = []
    async for raw in tape.backwards(redis):
        if raw.kind not in ("mark", "run_started", "trades", "quotes"):
            continue
        entry = raw.decode()
        if isinstance(entry, TimeMark | RunStarted):
            if entry.paced:
                nobodys.clear()
                break
            pieces += nobodys
            nobodys = []
            if mark_ns is None and isinstance(entry, TimeMark) and entry.phase == "strategy":
                mark_ns = entry.at_ns
        elif isinstance(entry, Trades | Quotes):
            # A slice lies within its minute.
            if mark_ns is not None and entry.at_ns[0] < mark_ns - mark_ns % MINUTE_NS:
                break
            nobodys.append(_piece(entry))
    if mark_ns is None:
        return None
    pieces += nobodys
    minute_ns = mark_ns - mark_ns % MINUTE_NS
    # Those after the last mark were taken in before it was known.
    return Tail(mark_ns, [piece for piece in reversed(pieces) if piece.first_ns >= minute_ns])


def _prints(trades: Trades) -> Iterator[Print]:
    columns = (trades.symbol_index, trades.at_ns, trades.price, trades.size)
    for index, at_ns, price, size in zip(*columns, strict=True):
        yield Print(trades.symbols[index], at_ns, price, size)


_NO_TRADES = Trades(symbols=[], symbol_index=[], at_ns=[], price=[], size=[])


def _piece(entry: Trades | Quotes) -> Slice:
    if isinstance(entry, Trades):
        return Slice(entry, entry.at_ns[-1] + 1)
    return Slice(_NO_TRADES, entry.at_ns[-1] + 1, entry)
