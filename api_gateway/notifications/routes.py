from typing import Annotated

from fastapi import APIRouter, Path

from api_gateway.dependencies import Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.notifications.schemas import NotificationView, ReadCount, ReadUpTo
from api_gateway.paging import LARGEST_BIGINT, Page, Place

router = APIRouter(prefix="/notifications", tags=["notifications"])


@router.get(
    "",
    operation_id="listNotifications",
    summary="What the platform told you, newest first",
    responses=problems(401, 422, 503),
)
def list_notifications(
    caller: Caller, gateway: GatewayState, place: Place, *, unread: bool = False
) -> Page[NotificationView]:
    return gateway.notifications.page(caller.user_id, place, unread=unread)


@router.post(
    "/read",
    operation_id="readNotifications",
    summary="Mark one and all older ones as read",
    responses=problems(400, 401, 413, 422, 503),
)
def read_notifications(caller: Caller, body: ReadUpTo, gateway: GatewayState) -> ReadCount:
    return gateway.notifications.read_up_to(caller.user_id, body.up_to)


@router.post(
    "/{notification_id}/read",
    operation_id="readNotification",
    summary="Mark one as read",
    description="Again, it changes nothing.",
    responses=problems(401, 404, 422, 503),
)
def read_notification(
    notification_id: Annotated[int, Path(ge=1, le=LARGEST_BIGINT)],
    caller: Caller,
    gateway: GatewayState,
) -> NotificationView:
    return gateway.notifications.read(caller.user_id, notification_id)
