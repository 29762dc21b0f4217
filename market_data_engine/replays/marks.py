"""What a run puts on the tape, in the order of docs/architecture.md, and whom it waits for."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from redis.asyncio import Redis

from market_data_engine.history.memory import CandleMemory
from market_data_engine.metrics import CANDLES, CORRECTIONS, MARKS, TICKS, WAIT
from market_data_engine.replays.frames import RunFrames
from market_data_engine.store.stored import Quality, StoredCandle
from market_data_engine.store.writer import CandleWriter
from shared.models.market import (
    Candle,
    Candles,
    RunEnded,
    RunStarted,
    TapeEntry,
    TimeMark,
)
from shared.redis.keys import LAST_PRICES
from shared.redis.tape import Pacer, Phase
from shared.redis.tape_writer import TapeWriter
from shared.redis.topics import Frame
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice

Source = Literal["live", "replay", "synthetic"]

#: What redis-py takes as a hash's fields and values.
_Field = bytes | bytearray | memoryview | str | int | float

_MARKS_A_TRIM = 32
_PRICES_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Lines:
    """Everything that a run writes to."""

    redis: Redis
    tape: TapeWriter
    pacer: Pacer
    frames: RunFrames
    memory: CandleMemory
    writer: CandleWriter
    #: Raises when another engine may carry the market.
    require_leadership: Callable[[], None]
    #: Candles that were healed meanwhile, to be shown with the next mark.
    healed: Callable[[], Sequence[Candle]] = list


class Marks:
    """One run's place on the tape. `paced`: it waits for those who take part."""

    def __init__(
        self,
        run_id: str,
        source: Source,
        lines: Lines,
        candles: RunCandles,
        *,
        paced: bool,
        observer_lag: int,
    ) -> None:
        self._run_id = run_id
        self._source: Source = source
        self._lines = lines
        self._candles = candles
        self._paced = paced
        self._observer_lag = observer_lag
        #: How good a completed candle is: a live run knows when its feeds were away.
        self.quality_of: Callable[[Candle], Quality] = lambda _: "complete"
        self._number = 0
        self._begun = False
        self._prices_due_s = 0.0
        #: Prints put on the tape.
        self.ticks = 0
        #: Prints passed over.
        self.skipped_ticks = 0
        #: The last mark; None before the first.
        self.now_ns: int | None = None

    async def begin(self) -> None:
        lines = self._lines
        await lines.pacer.begin(self._run_id)
        await lines.tape.open()
        lines.require_leadership()
        self._begun = True
        await lines.tape.write(
            [RunStarted(run_id=self._run_id, source=self._source, paced=self._paced)]
        )

    async def end(self) -> None:
        """Show the last state and say that the run is over, if it ever began."""
        self._candles.over = True
        if not self._begun:
            return
        self._lines.require_leadership()
        await self._lines.tape.write(
            [RunEnded(run_id=self._run_id)],
            [*self._healed_frames(), *self._lines.frames.forming(None)],
        )
        await self._publish_prices()

    def note(self, piece: Slice) -> None:
        """The piece is taken into the candles and about to go on the tape."""
        self._lines.frames.touch(self._candles.changed_by(piece))
        self.ticks += len(piece.trades.at_ns)
        TICKS.inc(len(piece.trades.at_ns))

    async def put(self, entries: Iterable[TapeEntry]) -> None:
        """What comes before the next mark, at once: for a market that nobody waits for."""
        self._lines.require_leadership()
        frames = self._lines.frames.forming(time.monotonic())
        await self._lines.tape.write(list(entries), frames)

    def pass_over(self, piece: Slice) -> None:
        """The piece is taken into the candles, and won't go on the tape."""
        self._lines.frames.touch(self._candles.changed_by(piece))
        self.skipped_ticks += len(piece.trades.at_ns)

    async def show(self, completed: Sequence[Candle]) -> None:
        """Candles that aren't for the tape: they are kept, stored and shown all the same."""
        lines = self._lines
        kept = await self._keep(completed)
        lines.require_leadership()
        frames = [*lines.frames.completed(kept), *lines.frames.forming(time.monotonic())]
        await lines.tape.write([], frames)

    async def correct(self, candles: Sequence[Candle]) -> None:
        """Completed candles that are others now: stored and shown, but not put on the tape. What
        was decided on them stays decided."""
        if not candles:
            return
        lines = self._lines
        CORRECTIONS.inc(len(candles))
        stored = self._stored(candles)
        lines.memory.heal(stored)
        await lines.writer.put(stored)
        lines.frames.touch(candle.symbol for candle in candles)
        lines.require_leadership()
        await lines.tape.write([], lines.frames.completed(candles, corrected=True))

    async def _keep(self, completed: Sequence[Candle]) -> list[Candle]:
        """Those that are kept: what a provider told of while this process was held up stands."""
        if not completed:
            return []
        memory = self._lines.memory
        stored = [memory.healed.standing(one.candle) or one for one in self._stored(completed)]
        for one in stored:
            memory.add(one)
            CANDLES.labels(one.candle.timeframe).inc()
        await self._lines.writer.put(stored)
        return [one.candle for one in stored]

    def _healed_frames(self) -> list[Frame]:
        return self._lines.frames.completed(self._lines.healed(), corrected=True)

    def _stored(self, candles: Sequence[Candle]) -> list[StoredCandle]:
        as_of_ns = time.time_ns()
        return [
            StoredCandle(candle, self._source, self.quality_of(candle), as_of_ns)
            for candle in candles
        ]

    async def mark(
        self, at_ns: int, completed: Sequence[Candle], entries: Iterable[TapeEntry] = ()
    ) -> None:
        lines = self._lines
        self._number += 1
        self.now_ns = at_ns
        kept = await self._keep(completed)
        written = list(entries)
        if completed:
            written.append(Candles(candles=list(completed)))
        lines.require_leadership()
        await lines.tape.write([*written, self._time_mark(at_ns, "market")])
        await self._wait("market", self._number)
        strategy = self._time_mark(at_ns, "strategy")
        frames = [
            *lines.frames.completed(kept),
            *self._healed_frames(),
            *lines.frames.forming(time.monotonic()),
            lines.frames.time(strategy),
        ]
        lines.require_leadership()
        await lines.tape.write([strategy], frames)
        await self._wait("strategy", self._number)
        MARKS.inc()
        await self._now_and_then()

    async def all_seen(self) -> None:
        """Returns when the observers have come to the last mark, too."""
        await self._wait("observe", self._number)

    def _time_mark(self, at_ns: int, phase: Literal["market", "strategy"]) -> TimeMark:
        return TimeMark(
            number=self._number, at_ns=at_ns, phase=phase, paced=self._paced, run_id=self._run_id
        )

    async def _now_and_then(self) -> None:
        """What needn't be done at each mark."""
        # Looking every half lag, observers may be half a lag behind and so never exceed it.
        half = self._observer_lag // 2
        if half == 0 or self._number % half == 0:
            await self._wait("observe", self._number - (self._observer_lag - half))
        if self._paced and self._number % _MARKS_A_TRIM == 0:
            await self._lines.pacer.trim()
        now_s = time.monotonic()
        if now_s >= self._prices_due_s:
            self._prices_due_s = now_s + _PRICES_PAUSE_S
            await self._publish_prices()

    async def _publish_prices(self) -> None:
        prices: dict[_Field, _Field] = {
            symbol: repr(price) for symbol, price in self._candles.last_prices.items()
        }
        if prices:
            await self._lines.redis.hset(LAST_PRICES, mapping=prices)

    async def _wait(self, phase: Phase, number: int) -> None:
        if not self._paced or number <= 0:
            return
        started_s = time.perf_counter()
        await self._lines.pacer.wait(phase, number)
        WAIT.labels(phase).observe(time.perf_counter() - started_s)
