"""Candle and time frames: numbered here, published by the run."""

from collections.abc import Iterable, Sequence
from math import inf

from redis.asyncio import Redis

from shared.models.frames import encode_frame
from shared.models.identifiers import TIMEFRAMES
from shared.models.market import Candle, CandleUpdated, TimeMark
from shared.models.topics import TIME_TOPIC, candles_topic
from shared.redis.keys import topic_buffer
from shared.redis.streams import position
from shared.redis.topics import Frame
from shared.replays.candles import RunCandles


class FrameNumbers:
    """The last sequence number of each topic, going on from what Redis has of it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._last: dict[str, int] = {}

    async def load(self, symbols: Sequence[str]) -> None:
        """Before a run: read those of its topics anew, since another engine may have been here."""
        topics = [TIME_TOPIC]
        topics += [
            candles_topic(symbol, timeframe) for symbol in symbols for timeframe in TIMEFRAMES
        ]
        pipeline = self._redis.pipeline(transaction=False)
        for topic in topics:
            pipeline.xrevrange(topic_buffer(topic), count=1)
        for topic, newest in zip(topics, await pipeline.execute(), strict=True):
            buffered = position(newest[0][0].decode())[0] if newest else 0
            self._last[topic] = max(buffered, self._last.get(topic, 0))

    def last(self, topic: str) -> int:
        return self._last[topic]

    def next(self, topic: str) -> int:
        self._last[topic] += 1
        return self._last[topic]


def candle_frame(
    numbers: FrameNumbers, candle: Candle, *, complete: bool, corrected: bool = False
) -> Frame:
    topic = candles_topic(candle.symbol, candle.timeframe)
    seq = numbers.next(topic)
    update = CandleUpdated(candle=candle, complete=complete, corrected=corrected)
    return topic, seq, encode_frame(topic, seq, update)


class RunFrames:
    """Frames of one run. Forming candles go out at a bounded rate for each symbol and for all: of
    what changes in between, only the last state does."""

    def __init__(
        self,
        numbers: FrameNumbers,
        candles: RunCandles,
        forming_per_s: float,
        forming_most_per_s: float = 1e9,
    ) -> None:
        """`forming_per_s` is of each symbol, `forming_most_per_s` counts all frames of forming
        candles."""
        self._numbers = numbers
        self._candles = candles
        self._pause_s = 1.0 / forming_per_s
        self._most_per_s = forming_most_per_s
        #: Frames that may go out now, and since when that is so.
        self._room = 0.0
        self._room_at_s = -inf
        #: Symbol → wall time from which its forming candles may go out again.
        self._due_s: dict[str, float] = {}
        #: Symbols with prints that no frame has shown yet, those that wait longest first.
        self._changed: dict[str, None] = {}

    def completed(self, candles: Iterable[Candle], *, corrected: bool = False) -> list[Frame]:
        return [
            candle_frame(self._numbers, candle, complete=True, corrected=corrected)
            for candle in candles
        ]

    def touch(self, symbols: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(symbols))

    def forming(self, now_s: float | None) -> list[Frame]:
        """Of the symbols that are due at the wall time `now_s`; None: of all with news."""
        if now_s is None:
            frames = [frame for symbol in self._changed for frame in self._forming_of(symbol)]
            self._changed.clear()
            return frames
        if not self._has_room(now_s):
            return []
        frames = []
        for symbol in list(self._changed):
            if now_s < self._due_s.get(symbol, 0.0):
                continue
            del self._changed[symbol]
            self._due_s[symbol] = now_s + self._pause_s
            frames += self._forming_of(symbol)
            if len(frames) >= self._room:
                break
        self._room -= len(frames)
        return frames

    def _has_room(self, now_s: float) -> bool:
        """What isn't used within one pause of a symbol is forfeited."""
        gained = (now_s - self._room_at_s) * self._most_per_s
        self._room = min(self._most_per_s * self._pause_s, self._room + gained)
        self._room_at_s = now_s
        return self._room >= 1.0

    def _forming_of(self, symbol: str) -> list[Frame]:
        forming = (self._candles.forming(symbol, timeframe) for timeframe in TIMEFRAMES)
        return [
            candle_frame(self._numbers, candle, complete=False)
            for candle in forming
            if candle is not None
        ]

    def time(self, mark: TimeMark) -> Frame:
        seq = self._numbers.next(TIME_TOPIC)
        return TIME_TOPIC, seq, encode_frame(TIME_TOPIC, seq, mark)
