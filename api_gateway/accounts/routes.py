from typing import Annotated

from fastapi import APIRouter, Body

from api_gateway.accounts.paper_terms import (
    CHANGES,
    PaperTermsChange,
    PaperTermsView,
    shown,
)
from api_gateway.accounts.schemas import AccountOpening, AccountView, Portfolio
from api_gateway.dependencies import Caller, GatewayState, ReadableAccount, TradableAccount, Trader
from api_gateway.documentation import problems
from api_gateway.paging import CursorText, Limit, Page
from api_gateway.values import view
from shared.models.identifiers import Mode

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.post(
    "",
    status_code=201,
    operation_id="openAccount",
    summary="Open a trading account",
    description="Answers when the paper books exist. After a 503 `books_not_open` the same "
    "request again completes the opening.",
    responses=problems(400, 401, 403, 409, 413, 422, 503),
)
async def open_account(caller: Trader, body: AccountOpening, gateway: GatewayState) -> AccountView:
    return view(AccountView, await gateway.accounts.open(caller.user_id, body))


@router.get(
    "",
    operation_id="listAccounts",
    summary="Your accounts; everybody's for admins",
    responses=problems(401, 422, 503),
)
def list_accounts(
    caller: Caller, gateway: GatewayState, cursor: CursorText = None, limit: Limit = 100
) -> Page[AccountView]:
    return gateway.accounts.accounts(caller, cursor, limit)


@router.get(
    "/{account_id}",
    operation_id="getAccount",
    summary="One account",
    responses=problems(401, 404, 422, 503),
)
def get_account(scope: ReadableAccount, gateway: GatewayState) -> AccountView:
    return view(AccountView, gateway.accounts.account(scope.account_id))


@router.get(
    "/{account_id}/portfolio",
    operation_id="getPortfolio",
    summary="Cash, positions at their last prices, equity",
    responses=problems(401, 404, 422, 503),
)
async def get_portfolio(
    scope: ReadableAccount, gateway: GatewayState, mode: Mode = "paper"
) -> Portfolio:
    return await gateway.accounts.portfolio(scope.account_id, mode)


@router.get(
    "/{account_id}/paper-terms",
    operation_id="getPaperTerms",
    summary="How paper orders fill and what that costs",
    responses=problems(401, 404, 422, 503),
)
def get_paper_terms(scope: ReadableAccount, gateway: GatewayState) -> PaperTermsView:
    return shown(gateway.accounts.account(scope.account_id).paper_terms)


@router.patch(
    "/{account_id}/paper-terms",
    operation_id="changePaperTerms",
    summary="Change how paper orders fill from now on",
    description="What is left out stays as it is. Orders that are accepted from one second after "
    "the answer on, at the latest, have the new terms; orders keep those that they were accepted "
    "with.",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
def change_paper_terms(
    scope: TradableAccount,
    gateway: GatewayState,
    body: Annotated[PaperTermsChange, Body(openapi_examples=CHANGES)],
) -> PaperTermsView:
    return gateway.accounts.change_paper_terms(scope.account_id, body)
