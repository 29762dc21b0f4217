"""Cash of an account: owners pay in, take out and transfer; admins correct and post interest."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from api_gateway.cash.schemas import (
    CashAdjustment,
    CashConversion,
    CashMovement,
    CashTransfer,
    ConversionView,
    LedgerEntryView,
    TransferView,
)
from api_gateway.dependencies import Admin, GatewayState, ReadableAccount, TradableAccount
from api_gateway.documentation import problems
from api_gateway.values import view
from shared.models.cash import CashReply

router = APIRouter(prefix="/accounts/{account_id}/cash", tags=["accounts"])

_PROBLEMS = {
    200: {"model": LedgerEntryView, "description": "This entry was made before"},
    **problems(400, 401, 403, 404, 409, 413, 422, 503),
}


def _told(reply: CashReply, response: Response) -> LedgerEntryView:
    if reply.repeated:
        response.status_code = 200
    return view(LedgerEntryView, reply.entry)


@router.post(
    "/deposits",
    status_code=201,
    operation_id="depositCash",
    summary="Pay cash in",
    description="A repeated `client_entry_id` gives the first entry again, with 200.",
    responses=_PROBLEMS,
)
async def deposit(
    scope: TradableAccount, body: CashMovement, response: Response, gateway: GatewayState
) -> LedgerEntryView:
    reply = await gateway.cash.enter(scope.account_id, scope.caller.user_id, "deposit", body)
    return _told(reply, response)


@router.post(
    "/withdrawals",
    status_code=201,
    operation_id="withdrawCash",
    summary="Take cash out",
    description="Never what working orders reserve: 422 `insufficient_cash`, with what is free.",
    responses=_PROBLEMS,
)
async def withdraw(
    scope: TradableAccount, body: CashMovement, response: Response, gateway: GatewayState
) -> LedgerEntryView:
    reply = await gateway.cash.enter(scope.account_id, scope.caller.user_id, "withdrawal", body)
    return _told(reply, response)


@router.post(
    "/conversions",
    status_code=201,
    operation_id="convertCash",
    summary="Change cash of one currency for another",
    description="At the rate of the moment and the platform's spread. 422 `fx_rate_missing`, "
    "`fx_rate_stale`, `currency_mismatch`, `insufficient_cash`.",
    responses=_PROBLEMS
    | {200: {"model": ConversionView, "description": "This conversion was made before"}},
)
async def convert(
    scope: TradableAccount, body: CashConversion, response: Response, gateway: GatewayState
) -> ConversionView:
    reply = await gateway.cash.convert(scope.account_id, scope.caller.user_id, body)
    if reply.repeated:
        response.status_code = 200
    return view(ConversionView, reply)


@router.post(
    "/transfers",
    status_code=201,
    operation_id="transferCash",
    summary="Transfer cash to another account of yours",
    description="`under_way` means that it has left and will arrive by itself; the same request "
    "again tells whether it has.",
    responses=_PROBLEMS
    | {200: {"model": TransferView, "description": "This transfer was made before"}},
)
async def transfer(
    scope: TradableAccount, body: CashTransfer, response: Response, gateway: GatewayState
) -> TransferView:
    told, repeated = await gateway.cash.transfer(scope.account_id, scope.caller.user_id, body)
    if repeated:
        response.status_code = 200
    return told


@router.post(
    "/adjustments",
    status_code=201,
    operation_id="adjustCash",
    summary="Correct the cash of an account (admin)",
    responses=_PROBLEMS,
)
async def adjust(
    caller: Admin,
    scope: ReadableAccount,
    body: Annotated[
        CashAdjustment,
        Body(examples=[{"amount": "-12.5", "reason": "Fee of 2026-11-03 was not charged."}]),
    ],
    response: Response,
    gateway: GatewayState,
) -> LedgerEntryView:
    reply = await gateway.cash.enter(scope.account_id, caller.user_id, "adjustment", body)
    return _told(reply, response)


@router.post(
    "/interest",
    status_code=201,
    operation_id="postInterest",
    summary="Post interest: above zero it is earned, below zero it is owed (admin)",
    responses=_PROBLEMS,
)
async def post_interest(
    caller: Admin,
    scope: ReadableAccount,
    body: Annotated[
        CashAdjustment,
        Body(examples=[{"amount": "41.07", "reason": "Cash in 2026-10, 2.1 % a year"}]),
    ],
    response: Response,
    gateway: GatewayState,
) -> LedgerEntryView:
    reply = await gateway.cash.enter(scope.account_id, caller.user_id, "interest", body)
    return _told(reply, response)
