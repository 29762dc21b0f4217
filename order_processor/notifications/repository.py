"""Notifications as frames of their users' topics. Nothing here commits but the two verbs."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, text

from shared.models.frames import encode_frame
from shared.models.notifications import NotificationsSeen, Notified
from shared.models.topics import notifications_topic
from shared.redis.topics import Frame

#: A snapshot's; the rest is a list to page.
RECENT = 100
#: One herald at a time gives numbers.
_ALONE = text("SELECT pg_try_advisory_xact_lock(hashtext('notifications'))")
#: Whoever wrote them did so in transactions of their own: numbers are given in the order in which
#: they were seen here, so a topic has no gap, and none is given twice.
_NUMBER = text(
    """
    WITH new AS (
        SELECT id, user_id, row_number() OVER (PARTITION BY user_id ORDER BY id) AS place,
               count(*) OVER (PARTITION BY user_id) AS count
          FROM (SELECT id, user_id FROM notifications
                 WHERE topic_seq IS NULL ORDER BY id LIMIT :most) AS oldest
    ), counted AS (
        INSERT INTO notification_topics (user_id, seq)
        SELECT DISTINCT user_id, count FROM new
        ON CONFLICT (user_id) DO UPDATE SET seq = notification_topics.seq + excluded.seq
        RETURNING user_id, seq
    )
    UPDATE notifications n SET topic_seq = c.seq - new.count + new.place
      FROM new JOIN counted c ON c.user_id = new.user_id WHERE n.id = new.id
    """
)
_UNTOLD = text(
    """
    SELECT * FROM notifications WHERE NOT told AND topic_seq IS NOT NULL
     ORDER BY user_id, topic_seq LIMIT :most
    """
)
_TOLD = text("UPDATE notifications SET told = true WHERE id = ANY(:ids)")
_SEQ = text("SELECT seq FROM notification_topics WHERE user_id = :user_id")
_NEWEST = text(
    """
    SELECT * FROM notifications WHERE user_id = :user_id AND topic_seq IS NOT NULL
     ORDER BY topic_seq DESC LIMIT :most
    """
)
_UNREAD = text(
    "SELECT count(*) FROM notifications"
    " WHERE user_id = :user_id AND topic_seq IS NOT NULL AND read_at IS NULL"
)


def number_new(engine: Engine, most: int) -> None:
    """Give numbers to those that have none, unless another process is at it."""
    with engine.begin() as connection:
        if connection.execute(_ALONE).scalar():
            connection.execute(_NUMBER, {"most": most})


def untold(engine: Engine, most: int) -> tuple[list[int], list[Frame]]:
    """Ids and frames of those that are still to be published, in the order of their numbers."""
    with engine.connect() as connection:
        rows = connection.execute(_UNTOLD, {"most": most}).all()
    return [row.id for row in rows], [_frame(row) for row in rows]


def note_told(engine: Engine, ids: list[int]) -> None:
    with engine.begin() as connection:
        connection.execute(_TOLD, {"ids": ids})


def seen(connection: Connection, user_id: UUID) -> tuple[int, NotificationsSeen]:
    """Number of the last frame that is in it, and the state. Needs one moment's view."""
    values = {"user_id": user_id}
    seq = connection.execute(_SEQ, values).scalar() or 0
    rows = connection.execute(_NEWEST, values | {"most": RECENT})
    newest = [_notified(row) for row in rows]
    return seq, NotificationsSeen(newest, connection.execute(_UNREAD, values).scalar_one())


def _frame(row: Row[Any]) -> Frame:
    topic = notifications_topic(row.user_id)
    return topic, row.topic_seq, encode_frame(topic, row.topic_seq, _notified(row))


def _notified(row: Row[Any]) -> Notified:
    return Notified(
        id=row.id,
        account_id=row.account_id,
        mode=row.mode,
        deployment_id=row.deployment_id,
        severity=row.severity,
        code=row.code,
        text=row.text,
        context=row.context,
        created_at=row.created_at,
    )
