"""What a user was told of, and what of it was read. Everybody has but his own."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session, sessionmaker

from api_gateway.errors import Refused
from api_gateway.notifications.schemas import NotificationView, ReadCount
from api_gateway.paging import Page, Place, page_of, parse_seq_cursor, seq_cursor
from api_gateway.values import view
from shared.database.tables import NotificationRow, utc_now


class Notifications:
    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def page(self, user_id: UUID, place: Place, *, unread: bool) -> Page[NotificationView]:
        """Newest first."""
        before = parse_seq_cursor(place.cursor)
        query = select(NotificationRow).where(NotificationRow.user_id == user_id)
        if unread:
            query = query.where(NotificationRow.read_at.is_(None))
        if before is not None:
            query = query.where(NotificationRow.id < before)
        with self._sessions() as db:
            rows = db.scalars(
                query.order_by(NotificationRow.id.desc()).limit(place.limit + 1)
            ).all()
        return page_of(NotificationView, rows, place, lambda row: seq_cursor(row.id))

    def read(self, user_id: UUID, notification_id: int) -> NotificationView:
        """Read again, it keeps its time."""
        with self._sessions.begin() as db:
            row = db.get(NotificationRow, notification_id, with_for_update=True)
            if row is None or row.user_id != user_id:
                raise Refused("not_found", "There is no such notification.")
            if row.read_at is None:
                row.read_at = utc_now()
            return view(NotificationView, row)

    def read_up_to(self, user_id: UUID, notification_id: int) -> ReadCount:
        with self._sessions.begin() as db:
            result = db.execute(
                update(NotificationRow)
                .where(
                    NotificationRow.user_id == user_id,
                    NotificationRow.id <= notification_id,
                    NotificationRow.read_at.is_(None),
                )
                .values(read_at=utc_now())
            )
        return ReadCount(read=cast("CursorResult[Any]", result).rowcount)
