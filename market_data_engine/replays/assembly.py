"""Puts a run together from what it needs of the engine."""

from redis.asyncio import Redis

from market_data_engine.history.memory import CandleMemory
from market_data_engine.leadership.leadership import Leadership
from market_data_engine.replays.frames import FrameNumbers, RunFrames
from market_data_engine.replays.preparation import PreparedRun
from market_data_engine.replays.runner import Lines, Run, Runner
from market_data_engine.settings import MarketDataSettings
from market_data_engine.store.writer import CandleWriter
from shared.models.market import RunEnded
from shared.redis.tape import Pacer, Phase
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
        settings: MarketDataSettings,
    ) -> None:
        self._redis = redis
        self._leadership = leadership
        self._numbers = numbers
        self._memory = memory
        self._writer = writer
        self._settings = settings

    async def build(self, run_id: str, prepared: PreparedRun) -> tuple[Runner, RunCandles]:
        """From here on the memory shows the run's symbols as the run sees them."""
        settings = self._settings
        await self._numbers.load(prepared.feed.symbols)
        candles = RunCandles(prepared.calendars)
        for symbol in prepared.feed.symbols:
            self._memory.begin(symbol, candles)
        # A run can't slip past an order shard that is just being taken over.
        always: dict[str, Phase] = {
            f"orders:{shard}": "market" for shard in range(settings.order_shards)
        }
        lines = Lines(
            redis=self._redis,
            tape=TapeWriter(self._redis, None if prepared.paced else settings.live_tape_entries),
            pacer=Pacer(self._redis, always),
            frames=RunFrames(self._numbers, candles, settings.forming_frames_per_s),
            memory=self._memory,
            writer=self._writer,
            require_leadership=self._leadership.require,
        )
        run = Run(
            id=run_id,
            source=prepared.source,
            paced=prepared.paced,
            feed=prepared.feed,
            clock=prepared.clock,
            step_ns=prepared.step_ns,
        )
        runner = Runner(
            run,
            lines,
            candles,
            slice_trades=settings.slice_max_trades,
            observer_lag=settings.observer_lag_marks,
        )
        return runner, candles

    async def end_run_of_another(self, run_id: str) -> None:
        """Say on the tape that it is over; its engine, should it only sleep, can write no more."""
        pen = TapeWriter(self._redis)
        await pen.open()
        await pen.write([RunEnded(run_id=run_id)])

    def forget(self) -> None:
        """Another engine carries the market: the memory is no longer true."""
        self._memory.forget()
