"""An account's order events, from the topics' buffers or, where those end, the outbox."""

from collections.abc import Iterable
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


AccountKey = tuple[UUID, Mode]
_NOTHING = Feed()


class AccountEvents:
    def __init__(self, redis: Redis, store: Store) -> None:
        self._redis = redis
        self._store = store

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
        for topic, frames in (await frames_after_each(self._redis, after)).items():
            if frames is None:
                frames = await self._store.account_frames(topic, after[topic])
            for seq, frame in frames:
                event = _decoder.decode(frame).data
                feed = feeds.setdefault(accounts[topic], Feed())
                events = feed.executions if isinstance(event, OrderExecuted) else feed.orders
                events.append((seq, event))
        return feeds


def feed_of(feeds: dict[AccountKey, Feed], deployment: Deployment) -> Feed:
    return feeds.get((deployment.account_id, deployment.mode), _NOTHING)
