from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api_gateway.paging import LARGEST_BIGINT
from api_gateway.values import Input, UtcTime, View
from shared.models.identifiers import Mode

NotificationId = Annotated[int, Field(ge=1, le=LARGEST_BIGINT)]


class NotificationView(View):
    id: int
    account_id: UUID | None
    mode: Mode | None
    deployment_id: UUID | None
    severity: Literal["info", "warning", "critical"]
    #: Stable; `text` is a sentence for people.
    code: str
    text: str
    context: dict[str, Any]
    created_at: UtcTime
    #: None while it is unread.
    read_at: UtcTime | None


class ReadUpTo(Input):
    up_to: Annotated[
        NotificationId, Field(description="This one and all that are older.", examples=[42])
    ]


class ReadCount(View):
    #: Those that were unread before.
    read: int
