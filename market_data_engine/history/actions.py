"""Candles asked for: from memory where they are there, else from the store."""

import asyncio
from dataclasses import dataclass

import msgspec
from redis.asyncio import Redis

from market_data_engine.history.memory import KEPT, CandleMemory
from market_data_engine.history.schemas import CandleSnapshot
from market_data_engine.instruments.actions import Instruments
from market_data_engine.replays.frames import FrameNumbers
from market_data_engine.store.store import CandleStore
from market_data_engine.store.stored import StoredCandle
from market_data_engine.store.writer import CandleWriter
from shared.models.identifiers import Symbol, Timeframe
from shared.models.market import Candle, CandleUpdated
from shared.models.topics import candles_topic
from shared.redis.topics import frames_after, last_seq

#: How long a query waits for candles on their way into the store.
_SETTLE_S = 5.0


class _Frame(msgspec.Struct, frozen=True):
    seq: int
    data: CandleUpdated


_frame_decoder = msgspec.json.Decoder(_Frame)


class StoreBehindError(Exception):
    """The store doesn't take what it is given: what it has isn't all."""


@dataclass(frozen=True, slots=True)
class Page:
    """Oldest first; the forming candle is on the last page."""

    candles: list[StoredCandle]
    forming: Candle | None
    next_cursor: str | None


class History:
    """Methods raise StoreBehindError or StoreAwayError while the store is away."""

    def __init__(
        self,
        memory: CandleMemory,
        store: CandleStore,
        writer: CandleWriter,
        instruments: Instruments,
        numbers: FrameNumbers,
        redis: Redis,
    ) -> None:
        self._memory = memory
        self._store = store
        self._writer = writer
        self._instruments = instruments
        self._numbers = numbers
        self._redis = redis
        self._known: set[str] = set()

    async def knows(self, symbol: str) -> bool:
        if symbol not in self._known and not self._memory.has(symbol):
            if await asyncio.to_thread(self._instruments.find, symbol) is None:
                return False
            self._known.add(symbol)  # instruments are never removed
        return True

    async def page(
        self, symbol: Symbol, timeframe: Timeframe, start_ns: int, end_ns: int | None, limit: int
    ) -> Page:
        """Up to `limit` candles, the forming one included, from `start_ns` on."""
        await self._settle()
        stop_ns = _least(end_ns, self._memory.market_time_ns(symbol, timeframe))
        found = await asyncio.to_thread(
            self._store.page, symbol, timeframe, start_ns, stop_ns, limit + 1
        )
        if len(found) > limit:
            return Page(found[:limit], None, str(found[limit - 1].candle.start_ns))
        forming = self._forming_within(symbol, timeframe, start_ns, end_ns)
        if forming is not None and found and found[-1].candle.start_ns >= forming.start_ns:
            forming = None  # of a run that went back in time
        if forming is not None and len(found) == limit:
            return Page(found, None, str(found[-1].candle.start_ns))
        return Page(found, forming, None)

    async def last(
        self, symbol: Symbol, timeframe: Timeframe, end_ns: int | None, limit: int
    ) -> Page:
        """The last `limit` candles, the forming one included."""
        if self._memory.has(symbol) and limit <= KEPT and end_ns is None:
            await self._complete_memory(symbol, timeframe)
            forming = self._memory.forming(symbol, timeframe)
            room = limit - (forming is not None)
            return Page(self._memory.last(symbol, timeframe, room), forming, None)
        await self._settle()
        forming = self._forming_within(symbol, timeframe, None, end_ns)
        stop_ns = _least(end_ns, self._memory.end_ns(symbol, timeframe))
        room = limit - (forming is not None)
        found = await asyncio.to_thread(self._store.last, symbol, timeframe, stop_ns, room)
        return Page(found, forming, None)

    async def before(
        self, symbol: Symbol, timeframe: Timeframe, before_ns: int, count: int
    ) -> list[Candle]:
        """The last `count` completed candles that start before `before_ns`."""
        await self._settle()
        found = await asyncio.to_thread(self._store.last, symbol, timeframe, before_ns, count)
        return [one.candle for one in found]

    async def snapshot(self, symbol: Symbol, timeframe: Timeframe) -> CandleSnapshot:
        if not self._memory.has(symbol):
            return await self._snapshot_from_outside(symbol, timeframe)
        await self._complete_memory(symbol, timeframe)
        # Without a wait in between: the memory is never behind the frames that have numbers.
        return CandleSnapshot(
            seq=self._numbers.last(candles_topic(symbol, timeframe)),
            candles=[one.candle for one in self._memory.last(symbol, timeframe, KEPT)],
            forming=self._memory.forming(symbol, timeframe),
        )

    async def _snapshot_from_outside(self, symbol: Symbol, timeframe: Timeframe) -> CandleSnapshot:
        """What the store has, and the topic's own frames on top.

        Another engine may be carrying the symbol, or one that is gone may have.
        """
        topic = candles_topic(symbol, timeframe)
        await self._settle()
        stored = await asyncio.to_thread(self._store.last, symbol, timeframe, None, KEPT)
        seq = await last_seq(self._redis, topic)
        frames = await frames_after(self._redis, topic, max(0, seq - KEPT)) or []
        candles = {one.candle.start_ns: one.candle for one in stored}
        forming: Candle | None = None
        for _, frame in frames:
            update = _frame_decoder.decode(frame).data
            if update.complete:
                candles[update.candle.start_ns] = update.candle
            if not update.corrected:
                forming = None if update.complete else update.candle
        if forming is not None:
            candles = {start: one for start, one in candles.items() if start < forming.start_ns}
        last = [candles[start] for start in sorted(candles)[-KEPT:]]
        return CandleSnapshot(seq=seq, candles=last, forming=forming)

    async def _complete_memory(self, symbol: Symbol, timeframe: Timeframe) -> None:
        """Ask the store, once a run, for what came before the run's first candle."""
        if not self._memory.lacks_earlier(symbol, timeframe):
            return
        first_ns = self._memory.first_ns(symbol, timeframe)
        if first_ns is not None:
            found = await asyncio.to_thread(self._store.last, symbol, timeframe, first_ns, KEPT)
            self._memory.set_earlier(symbol, timeframe, found)

    def _forming_within(
        self, symbol: Symbol, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Candle | None:
        forming = self._memory.forming(symbol, timeframe)
        if forming is None:
            return None
        after_start = start_ns is None or forming.start_ns >= start_ns
        return forming if after_start and (end_ns is None or forming.start_ns < end_ns) else None

    async def _settle(self) -> None:
        """What has been completed by now can be read from the store afterwards."""
        try:
            async with asyncio.timeout(_SETTLE_S):
                await self._writer.settled()
        except TimeoutError:
            raise StoreBehindError from None


def _least(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return min(known, default=None)
