"""Healed candles on their way to those who follow their topics: frames with `corrected`."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from redis.asyncio import Redis

from market_data_engine.history.memory import KEPT, CandleMemory
from market_data_engine.replays.frames import FrameNumbers, candle_frame
from shared.models.identifiers import Timeframe
from shared.models.market import Candle
from shared.redis.topics import publish_frames

#: What a run tells with one mark: the mark mustn't wait for long.
_A_MARK = 200


class Corrections:
    """Frames of a topic are numbered and sent by one task alone, else one could overtake another
    and be passed over. That is the run that carries the symbol; of other symbols this tells itself.
    """

    def __init__(
        self,
        redis: Redis,
        numbers: FrameNumbers,
        memory: CandleMemory,
        require_leadership: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._numbers = numbers
        self._memory = memory
        self._require_leadership = require_leadership
        self._waiting: deque[Candle] = deque()

    async def tell(self, candles: Iterable[Candle]) -> None:
        """The last ones of each topic, as many as a snapshot shows. They are stored already; what
        a run can't have come to yet isn't told. Telling them twice changes nothing."""
        by_topic: dict[tuple[str, Timeframe], list[Candle]] = {}
        for candle in candles:
            if self._memory.shows(candle):
                by_topic.setdefault((candle.symbol, candle.timeframe), []).append(candle)
        own: list[Candle] = []
        for (symbol, _), of_topic in by_topic.items():
            last = sorted(of_topic, key=lambda one: one.start_ns)[-KEPT:]
            if self._memory.carries(symbol):
                self._waiting += last
            else:
                own += last
        await self._publish(own)

    def take(self) -> list[Candle]:
        """For the run: what it is to tell with its next mark."""
        return [self._waiting.popleft() for _ in range(min(_A_MARK, len(self._waiting)))]

    async def _publish(self, candles: Sequence[Candle]) -> None:
        if not candles:
            return
        await self._numbers.load(sorted({candle.symbol for candle in candles}))
        self._require_leadership()
        await publish_frames(
            self._redis,
            [
                candle_frame(self._numbers, candle, complete=True, corrected=True)
                for candle in candles
                if not self._memory.carries(candle.symbol)  # a run has just begun with it
            ],
        )
