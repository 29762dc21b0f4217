"""An account's order events, from the topics' buffers or, where those end, the outbox."""

from collections.abc import Iterable
from time import monotonic
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from shared.models.identifiers import Mode
from shared.models.orders import OrderExecuted, OrderUpdated
from shared.redis.topics import frames_after_each
from strategy_workers.runtime.deployment import Deployment
from strategy_workers.runtime.feed import Feed
from strategy_workers.runtime.store import Store


class _Frame(msgspec.Struct):
    data: OrderExecuted | OrderUpdated


_decoder = msgspec.json.Decoder(_Frame)


#: While a topic's buffer is empty (it is new, or Redis has lost it) the outbox is asked so often.
_ASK_AGAIN_S = 2.0

AccountKey = tuple[UUID, Mode]
_NOTHING = Feed()


class AccountEvents:
    def __init__(self, redis: Redis, store: Store) -> None:
        self._redis = redis
        self._store = store
        #: Topic with an empty buffer → frame after which the outbox was asked, and when to again.
        self._asked: dict[str, tuple[int, float]] = {}

    async def collect(self, deployments: Iterable[Deployment]) -> dict[AccountKey, Feed]:
        """What is new for any of them, in one round trip. Accounts without news are left out."""
        after: dict[str, int] = {}
        accounts: dict[str, AccountKey] = {}
        for deployment in deployments:
            portfolio = deployment.portfolio
            for topic, seq in (
                (deployment.executions_topic, portfolio.executions_seq),
                (deployment.orders_topic, portfolio.orders_seq),
            ):
                after[topic] = min(after.get(topic, seq), seq)
                accounts[topic] = (deployment.account_id, deployment.mode)
        feeds: dict[AccountKey, Feed] = {}
        buffered, silent = await frames_after_each(self._redis, after)
        gone = {topic for topic, frames in buffered.items() if frames is None}
        gone |= {topic for topic in silent if self._is_due(topic, after[topic])}
        stored = await self._store.account_frames({topic: after[topic] for topic in gone})
        for topic, frames in buffered.items():
            for seq, frame in stored.get(topic, ()) if topic in gone else frames or ():
                event = _decoder.decode(frame).data
                feed = feeds.setdefault(accounts[topic], Feed())
                events = feed.executions if isinstance(event, OrderExecuted) else feed.orders
                events.append((seq, event))
        return feeds

    def _is_due(self, topic: str, after: int) -> bool:
        """Whether the outbox should be asked about a topic whose buffer is empty."""
        now = monotonic()
        known, ask_again_at = self._asked.get(topic, (-1, 0.0))
        if known == after and now < ask_again_at:
            return False
        self._asked[topic] = (after, now + _ASK_AGAIN_S)
        return True


def feed_of(feeds: dict[AccountKey, Feed], deployment: Deployment) -> Feed:
    return feeds.get((deployment.account_id, deployment.mode), _NOTHING)
