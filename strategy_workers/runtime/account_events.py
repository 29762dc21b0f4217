"""An account's order events, from the topics' buffers or, when those don't reach back, the outbox.

Which events belong to a slice depends on their stamps alone, so working through the slice again
after a crash takes in the same ones. Executions count up to the slice's market mark. Other order
events count up to *before* it: an order sent in a strategy phase is stamped with that market
mark, too, and must not be news in the phase that sent it. (An order that expired in the market
mark itself is therefore told one slice later.)
"""

from collections.abc import Iterable
from time import monotonic
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from shared.models.identifiers import Mode
from shared.models.orders import OrderExecuted, OrderUpdated
from shared.redis.streams import position
from shared.redis.topics import frames_after_each
from strategy_workers.runtime.deployment import Deployment
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.store import Store

Numbered = tuple[int, OrderExecuted | OrderUpdated]


class _Frame(msgspec.Struct):
    data: OrderExecuted | OrderUpdated


_decoder = msgspec.json.Decoder(_Frame)


class Feed(msgspec.Struct):
    """New events of one account, by topic."""

    executions: list[Numbered] = []
    orders: list[Numbered] = []

    def breaks(self, portfolio: Portfolio) -> bool:
        """Events that `portfolio` has not taken in are gone: it must be read from the books."""
        return _starts_after(self.executions, portfolio.executions_seq) or _starts_after(
            self.orders, portfolio.orders_seq
        )

    def until(self, portfolio: Portfolio, market_mark: str) -> list[Numbered]:
        """What `portfolio` has not taken in yet and belongs before `market_mark`, in order."""
        if not self.executions and not self.orders:
            return []
        limit = position(market_mark)
        taken = []
        for event in self.executions:
            if event[0] > portfolio.executions_seq:
                if position(event[1].tape_id) > limit:
                    break
                taken.append(event)
        for event in self.orders:
            if event[0] > portfolio.orders_seq:
                if position(event[1].tape_id) >= limit:
                    break
                taken.append(event)
        taken.sort(key=_in_order)
        return taken


def _starts_after(events: list[Numbered], seq: int) -> bool:
    return bool(events) and events[0][0] > seq + 1


def _in_order(numbered: Numbered) -> tuple[tuple[int, int], int]:
    """By stamp; at the same stamp an order is accepted before it fills, and fills before it ends.

    The sort is stable: events of one topic keep their order.
    """
    event = numbered[1]
    if isinstance(event, OrderExecuted):
        return position(event.tape_id), 1
    return position(event.tape_id), 0 if event.event in ("new", "accepted") else 2


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
