"""Rows that only told of something end after a while; nothing that recovery needs does."""

import asyncio
from collections.abc import Mapping

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger()

_EVERY_S = 3600.0

#: Not those that a shard has yet to publish, and of each topic not the last: its number goes on.
_EVENTS = text(
    """
    DELETE FROM account_events WHERE (shard, seq) IN (
        SELECT e.shard, e.seq
          FROM account_events e JOIN order_shards s ON s.shard = e.shard
         WHERE e.recorded_at < now() - make_interval(days => :days) AND e.seq <= s.published_seq
           AND EXISTS (SELECT 1 FROM account_events n
                        WHERE n.topic = e.topic AND n.topic_seq > e.topic_seq)
         LIMIT :most)
    """
)
_NOTIFICATIONS = text(
    """
    DELETE FROM notifications WHERE id IN (
        SELECT id FROM notifications
         WHERE created_at < now() - make_interval(days => :days) LIMIT :most)
    """
)


class Housekeeping:
    """Several processes may sweep at once: what is gone is gone."""

    def __init__(
        self,
        engine: Engine,
        events_days: int,
        notifications_days: int,
        at_once: int = 5000,
    ) -> None:
        self._engine = engine
        #: Rows of one transaction.
        self._at_once = at_once
        self._kept_days = {"account_events": events_days, "notifications": notifications_days}

    async def run(self) -> None:
        """Sweep until cancelled. While Postgres is away it waits for the next time."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                swept = await asyncio.to_thread(self.sweep)
            except SQLAlchemyError as error:
                log.warning("not_swept", error=repr(error))
            else:
                log.info("swept", **swept)

    def sweep(self) -> Mapping[str, int]:
        """How many rows ended, by table; a transaction for each few of them."""
        swept = {}
        for table, statement in (("account_events", _EVENTS), ("notifications", _NOTIFICATIONS)):
            swept[table], ended = 0, self._at_once
            while ended == self._at_once:
                with self._engine.begin() as connection:
                    values = {"days": self._kept_days[table], "most": self._at_once}
                    ended = connection.execute(statement, values).rowcount
                swept[table] += ended
        return swept
