"""Puts a run together from what it needs of the engine."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from redis.asyncio import Redis

from market_data_engine.feeds.following import FeedStatus
from market_data_engine.history.memory import CandleMemory
from market_data_engine.leadership.leadership import Leadership
from market_data_engine.live.amender import Amender
from market_data_engine.live.board import FeedBoard
from market_data_engine.live.resumption import Resumption
from market_data_engine.live.runner import LiveRunner
from market_data_engine.live.silence import Silence
from market_data_engine.live.watch import SilenceWatch
from market_data_engine.replays.frames import FrameNumbers, RunFrames
from market_data_engine.replays.marks import Lines, Marks
from market_data_engine.replays.preparation import AnyRun, PreparedLive
from market_data_engine.replays.runner import Carrier, Recording, Runner
from market_data_engine.settings import MarketDataSettings
from market_data_engine.store.writer import CandleWriter
from shared.candles.calendar import SessionCalendar
from shared.models.market import Candle, RunEnded
from shared.redis.tape import Pacer, Phase, leave_shards_beyond
from shared.redis.tape_writer import TapeWriter
from shared.replays.candles import RunCandles


class Assembly:
    def __init__(
        self,
        redis: Redis,
        leadership: Leadership,
        numbers: FrameNumbers,
        memory: CandleMemory,
        writer: CandleWriter,
        board: FeedBoard,
        silence: SilenceWatch,
        resumption: Resumption,
        healed: Callable[[], Sequence[Candle]],
        settings: MarketDataSettings,
    ) -> None:
        self._redis = redis
        self._leadership = leadership
        self._numbers = numbers
        self._memory = memory
        self._writer = writer
        self._board = board
        self._silence = silence
        self._resumption = resumption
        self._healed = healed
        self._settings = settings

    async def build(self, run_id: str, prepared: AnyRun) -> tuple[Carrier, RunCandles]:
        """From here on the memory shows the run's symbols as the run sees them."""
        settings = self._settings
        await self._numbers.load(prepared.symbols)
        await leave_shards_beyond(self._redis, settings.order_shards)
        candles = RunCandles(prepared.calendars, prepared.quoted)
        for symbol in prepared.symbols:
            self._memory.begin(symbol, candles)
            if prepared.paced:
                self._memory.healed.forget(symbol)
        # A run can't slip past an order shard that is just being taken over.
        always: dict[str, Phase] = {
            f"orders:{shard}": "market" for shard in range(settings.order_shards)
        }
        lines = Lines(
            redis=self._redis,
            tape=TapeWriter(self._redis, None if prepared.paced else settings.live_tape_entries),
            pacer=Pacer(self._redis, always),
            frames=RunFrames(
                self._numbers,
                candles,
                settings.forming_frames_per_s,
                settings.forming_frames_most_per_s,
            ),
            memory=self._memory,
            writer=self._writer,
            require_leadership=self._leadership.require,
            healed=self._healed,
        )
        marks = Marks(
            run_id,
            prepared.source,
            lines,
            candles,
            paced=prepared.paced,
            observer_lag=settings.observer_lag_marks,
        )
        if isinstance(prepared, PreparedLive):
            grace_ns = settings.live_grace_ms * 1_000_000
            watch = partial(self._watch, prepared.calendars)
            resumed = await self._resumption.resume(candles, prepared.calendars, time.time_ns())
            amender = Amender(candles, self._memory, prepared.calendars)
            live = LiveRunner(
                prepared.followed,
                marks,
                candles,
                grace_ns=grace_ns,
                late_grace_ns=int(settings.late_grace_s * 1e9),
                amend=amender.amend,
                watch=watch,
                resumed=resumed,
            )
            self._board.show(live.feeds)
            return live, candles
        recording = Recording(prepared.feed, prepared.clock)
        slice_trades = settings.slice_max_trades
        return Runner(recording, marks, candles, slice_trades=slice_trades), candles

    async def _watch(
        self, calendars: Mapping[str, SessionCalendar], feeds: Sequence[FeedStatus]
    ) -> None:
        stale_s = self._silence.stale_s
        await self._silence.keep(Silence(feeds, calendars, stale_s, time.monotonic()))

    async def end_run_of_another(self, run_id: str) -> None:
        """Say on the tape that it is over; its engine, should it only sleep, can write no more."""
        pen = TapeWriter(self._redis)
        await pen.open()
        await pen.write([RunEnded(run_id=run_id)])

    def forget(self) -> None:
        """Another engine carries the market: the memory is no longer true."""
        self._memory.forget()
        self._board.forget()
