"""`/internal/corporate-actions`: for admins, through the gateway."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from order_processor.corporate_actions.actions import CorporateActions
from order_processor.corporate_actions.schemas import ActionRequest, CancelRequest
from order_processor.settings import OrderProcessorSettings
from shared.models.base import encode
from shared.service.internal import require_internal_token
from shared.service.problems import not_found


def corporate_actions_router(
    settings: OrderProcessorSettings, actions: CorporateActions
) -> APIRouter:
    router = APIRouter(
        prefix="/internal/corporate-actions",
        dependencies=[Depends(require_internal_token(settings))],
    )

    @router.post("")
    async def announce(body: Annotated[ActionRequest, Body()]) -> Response:
        exchange = await run_in_threadpool(actions.exchange_of, body.symbol)
        start = await actions.session_start(body.symbol, exchange, body.ex_date)
        told, repeated = await run_in_threadpool(actions.announce, body, start)
        return _answer(told, 200 if repeated else 201)

    @router.get("")
    def list_actions(
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        items, more = actions.newest(cursor, limit)
        return _answer({"items": items, "next_cursor": None if more is None else str(more)})

    @router.get("/{action_id}")
    def get(action_id: UUID) -> Response:
        told = actions.get(action_id)
        if told is None:
            raise not_found("split or dividend")
        return _answer(told)

    @router.post("/{action_id}/retry")
    def retry(action_id: UUID) -> Response:
        told = actions.retry(action_id)
        if told is None:
            raise not_found("split or dividend")
        return _answer(told)

    @router.post("/{action_id}/cancel")
    def cancel(action_id: UUID, body: Annotated[CancelRequest, Body()]) -> Response:
        told = actions.cancel(action_id, body.cancelled_by)
        if told is None:
            raise not_found("split or dividend")
        return _answer(told)

    return router


def _answer(told: object, status: int = 200) -> Response:
    return Response(encode(told), status_code=status, media_type="application/json")
