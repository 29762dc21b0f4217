"""What a user is told of, as the topic of his notifications has it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from shared.models.base import Message
from shared.models.identifiers import Mode


class Notified(Message, frozen=True, tag="notification"):
    """Frame of the topic `users.{id}.notifications`."""

    id: int
    account_id: UUID | None
    mode: Mode | None
    deployment_id: UUID | None
    severity: Literal["info", "warning", "critical"]
    #: Stable; `text` is a sentence for people.
    code: str
    text: str
    context: dict[str, Any]
    created_at: datetime


class NotificationsSeen(msgspec.Struct, frozen=True):
    """The state that the topic's frames go on from."""

    #: The newest, newest first.
    notifications: list[Notified]
    #: Of all, as the snapshot was taken: reading is told by no frame.
    unread: int
