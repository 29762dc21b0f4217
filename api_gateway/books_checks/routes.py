"""For admins alone: checks of the books."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Response
from starlette.concurrency import run_in_threadpool

from api_gateway.books_checks.schemas import BooksCheckStart, BooksCheckView
from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems

router = APIRouter(prefix="/admin/books-checks", tags=["admin"])

_PROBLEMS = problems(401, 403, 404, 422, 502, 503)


@router.post(
    "",
    status_code=202,
    response_model=BooksCheckView,
    operation_id="checkBooks",
    summary="Work the books out again and compare (admin)",
    description="Of one account, or of all. It goes on by itself: ask for it again until its "
    "`status` is `done` or `failed`. The same check runs every night.",
    responses=problems(400, 401, 403, 404, 413, 422, 502, 503),
)
async def check_books(
    caller: Admin,
    body: Annotated[BooksCheckStart, Body(examples=[{}])],
    gateway: GatewayState,
) -> Response:
    if body.account_id is not None:
        await run_in_threadpool(gateway.accounts.account, body.account_id)
    account_id = None if body.account_id is None else str(body.account_id)
    return await gateway.books.post(
        "/internal/books-checks",
        {"requested_by": f"user:{caller.user_id}", "account_id": account_id},
    )


@router.get(
    "/last",
    response_model=BooksCheckView,
    operation_id="getLastBooksCheck",
    summary="The check of the books that began last (admin)",
    responses=_PROBLEMS,
)
async def get_last(_admin: Admin, gateway: GatewayState) -> Response:
    return await gateway.books.get("/internal/books-checks/last")


@router.get(
    "/{check_id}",
    response_model=BooksCheckView,
    operation_id="getBooksCheck",
    summary="One check of the books (admin)",
    responses=_PROBLEMS,
)
async def get_check(_admin: Admin, check_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.books.get(f"/internal/books-checks/{check_id}")
