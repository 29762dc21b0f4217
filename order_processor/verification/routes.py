"""`/internal/books-checks`: for admins, through the gateway."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, ConfigDict

from order_processor.settings import OrderProcessorSettings
from order_processor.verification.actions import Verification
from order_processor.verification.differences import BooksCheck
from shared.models.base import encode
from shared.service.internal import require_internal_token
from shared.service.problems import Problem, not_found


class BooksCheckRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    requested_by: str
    account_id: UUID | None = None


def verification_router(settings: OrderProcessorSettings, verification: Verification) -> APIRouter:
    router = APIRouter(
        prefix="/internal/books-checks", dependencies=[Depends(require_internal_token(settings))]
    )

    @router.post("", status_code=202)
    async def start(body: Annotated[BooksCheckRequest, Body()]) -> Response:
        check = await verification.start(body.requested_by, body.account_id)
        if check is None:
            raise Problem(
                503,
                "busy",
                "Other checks of the books wait already. Try again shortly.",
                headers={"Retry-After": "5"},
            )
        return _answer(check, 202)

    @router.get("/last")
    async def get_last() -> Response:
        return _answer(await verification.last())

    @router.get("/{check_id}")
    async def get(check_id: UUID) -> Response:
        return _answer(await verification.get(check_id))

    return router


def _answer(check: BooksCheck | None, status: int = 200) -> Response:
    if check is None:
        raise not_found("check of the books")
    return Response(encode(check), status_code=status, media_type="application/json")
