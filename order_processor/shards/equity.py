"""Equity marks of one shard: after each fill, and when prices moved, at a bounded rate."""

from time import monotonic

from redis.asyncio import Redis

from order_processor.metrics import EQUITY_MARKS
from order_processor.shards.desk import Desk
from order_processor.shards.state import BooksKey
from shared.models.frames import encode_frame
from shared.models.topics import account_topic
from shared.redis.topics import last_seq, publish_frames


class EquityMarker:
    """Publishes what the desk's books are worth. Call it only when their changes are committed."""

    def __init__(self, redis: Redis, interval_s: float) -> None:
        self._redis = redis
        self._interval_s = interval_s
        self._next_round = 0.0
        #: Topic → number of its last frame; read from Redis when a topic comes up first.
        self._seqs: dict[str, int] = {}

    def wait_s(self, desk: Desk) -> float | None:
        """Until there is something to publish, when nothing else happens; None for never."""
        return max(0.0, self._next_round - monotonic()) if desk.moved else None

    async def publish(self, desk: Desk) -> None:
        now = monotonic()
        due = set(desk.filled)
        if desk.moved and now >= self._next_round:
            due |= desk.moved
            self._next_round = now + self._interval_s
        if not due:
            return
        desk.filled.clear()
        desk.moved -= due
        frames = [await self._frame(desk, key) for key in sorted(due)]
        await publish_frames(self._redis, frames)
        EQUITY_MARKS.inc(len(frames))

    async def _frame(self, desk: Desk, key: BooksKey) -> tuple[str, int, bytes]:
        account_id, mode = key
        topic = account_topic(account_id, mode, "equity")
        if topic not in self._seqs:
            self._seqs[topic] = await last_seq(self._redis, topic)
        seq = self._seqs[topic] = self._seqs[topic] + 1
        return topic, seq, encode_frame(topic, seq, desk.equity_of(key))
