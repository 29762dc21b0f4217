"""Equity marks of one shard: after each fill, and when prices moved, at a bounded rate."""

from time import monotonic

from redis.asyncio import Redis

from order_processor.metrics import EQUITY_MARKS
from order_processor.shards.desk import Desk
from shared.models.frames import encode_frame
from shared.models.orders import EquityMarked
from shared.models.topics import account_topic
from shared.redis.topics import last_seq, publish_frames


class EquityMarker:
    """Takes down what the desk's books are worth, and publishes it when that is committed."""

    def __init__(self, redis: Redis, interval_s: float) -> None:
        self._redis = redis
        self._interval_s = interval_s
        self._next_round = 0.0
        #: Topic → number of its last frame; read from Redis when a topic comes up first.
        self._seqs: dict[str, int] = {}

    def wait_s(self, desk: Desk) -> float | None:
        """Until there is something to publish, when nothing else happens; None for never."""
        return max(0.0, self._next_round - monotonic()) if desk.moved else None

    def due(self, desk: Desk) -> list[EquityMarked]:
        """As the books stand now, with all that was applied to them. They are not due again."""
        now = monotonic()
        due = set(desk.filled)
        if desk.moved and now >= self._next_round:
            due |= desk.moved
            self._next_round = now + self._interval_s
        desk.filled.clear()
        desk.moved -= due
        return [desk.equity_of(key) for key in sorted(due)]

    async def publish(self, marks: list[EquityMarked]) -> None:
        if not marks:
            return
        frames = [await self._frame(mark) for mark in marks]
        await publish_frames(self._redis, frames)
        EQUITY_MARKS.inc(len(frames))

    async def _frame(self, mark: EquityMarked) -> tuple[str, int, bytes]:
        topic = account_topic(mark.account_id, mark.mode, "equity")
        if topic not in self._seqs:
            self._seqs[topic] = await last_seq(self._redis, topic)
        seq = self._seqs[topic] = self._seqs[topic] + 1
        return topic, seq, encode_frame(topic, seq, mark)
