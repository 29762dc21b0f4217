"""`/internal/notifications`: for the websocket service, before it streams the topic's frames."""

from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Response
from sqlalchemy import Engine

from order_processor.notifications import repository
from order_processor.settings import OrderProcessorSettings
from shared.models.base import encode
from shared.models.notifications import NotificationsSeen
from shared.service.internal import require_internal_token


class NotificationsBody(msgspec.Struct, frozen=True):
    seq: int
    data: NotificationsSeen


def notifications_router(settings: OrderProcessorSettings, engine: Engine) -> APIRouter:
    router = APIRouter(
        prefix="/internal/notifications", dependencies=[Depends(require_internal_token(settings))]
    )

    @router.get("/{user_id}/snapshot")
    def take(user_id: UUID) -> Response:
        """`{"seq": n, "data": …}`: frames up to n are in the data, those after n are not."""
        with engine.connect() as plain_connection:
            connection = plain_connection.execution_options(isolation_level="REPEATABLE READ")
            body = NotificationsBody(*repository.seen(connection, user_id))
        return Response(encode(body), media_type="application/json")

    return router
