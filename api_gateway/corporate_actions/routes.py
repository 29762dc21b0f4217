"""For admins alone: splits and dividends."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response

from api_gateway.corporate_actions.schemas import ActionAnnouncement, ActionView
from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems
from api_gateway.paging import Page
from api_gateway.values import plain

router = APIRouter(prefix="/admin/corporate-actions", tags=["admin"])

_BEHIND = "/internal/corporate-actions"
_ID = "6f1c0d1e-6a5f-4b0e-9d7a-0d6c2c4e8a10"
_EXAMPLES = [
    {
        "id": _ID,
        "symbol": "SPY",
        "kind": "split",
        "ratio": {"new": 4, "old": 1},
        "ex_date": "2026-12-01",
    },
    {"id": _ID, "symbol": "SPY", "kind": "dividend", "amount": "1.78", "ex_date": "2026-12-01"},
]


@router.post(
    "",
    status_code=201,
    response_model=ActionView,
    operation_id="announceCorporateAction",
    summary="Announce a split or a dividend (admin)",
    description="It is carried out once on each account's paper books, when market time comes to "
    "the session of the ex-date. A repeated `id` gives the first answer again, with 200.",
    responses={
        200: {"model": ActionView, "description": "This was announced before"},
        **problems(400, 401, 403, 404, 409, 413, 422, 502, 503),
    },
)
async def announce(
    caller: Admin,
    body: Annotated[ActionAnnouncement, Body(examples=_EXAMPLES)],
    gateway: GatewayState,
) -> Response:
    ratio = body.ratio
    return await gateway.books.post(
        _BEHIND,
        {
            "id": str(body.id),
            "symbol": body.symbol,
            "kind": body.kind,
            "ratio_new": None if ratio is None else ratio.new,
            "ratio_old": None if ratio is None else ratio.old,
            "amount": None if body.amount is None else plain(body.amount),
            "ex_date": body.ex_date.isoformat(),
            "announced_by": f"user:{caller.user_id}",
        },
    )


@router.get(
    "",
    response_model=Page[ActionView],
    operation_id="listCorporateActions",
    summary="Splits and dividends, newest announcement first (admin)",
    responses=problems(401, 403, 404, 422, 502, 503),
)
async def list_actions(
    _admin: Admin,
    gateway: GatewayState,
    cursor: Annotated[str | None, Query(pattern=r"^[1-9][0-9]{0,17}$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    return await gateway.books.get(_BEHIND, {"cursor": cursor, "limit": limit})


@router.get(
    "/{action_id}",
    response_model=ActionView,
    operation_id="getCorporateAction",
    summary="One split or dividend (admin)",
    responses=problems(401, 403, 404, 422, 502, 503),
)
async def get_action(_admin: Admin, action_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.books.get(f"{_BEHIND}/{action_id}")


@router.post(
    "/{action_id}/retry",
    response_model=ActionView,
    operation_id="retryCorporateAction",
    summary="Try a split or dividend again where it failed (admin)",
    responses=problems(401, 403, 404, 409, 422, 502, 503),
)
async def retry_action(_admin: Admin, action_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.books.post(f"{_BEHIND}/{action_id}/retry", {})


@router.post(
    "/{action_id}/cancel",
    response_model=ActionView,
    operation_id="cancelCorporateAction",
    summary="Cancel a split or dividend (admin)",
    description="Before it was carried out, or where it has failed: positions stay as they are.",
    responses=problems(401, 403, 404, 409, 422, 502, 503),
)
async def cancel_action(caller: Admin, action_id: UUID, gateway: GatewayState) -> Response:
    body = {"cancelled_by": f"user:{caller.user_id}"}
    return await gateway.books.post(f"{_BEHIND}/{action_id}/cancel", body)
