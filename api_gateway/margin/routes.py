from typing import Annotated

from fastapi import APIRouter, Body

from api_gateway.dependencies import GatewayState, ReadableAccount, TradableAccount
from api_gateway.documentation import problems
from api_gateway.margin.schemas import CHANGES, MarginChange, MarginView
from shared.models.identifiers import Mode

router = APIRouter(prefix="/accounts/{account_id}/margin", tags=["margin"])


@router.get(
    "",
    operation_id="getMargin",
    summary="Kind of account; requirement, buying power and margin call",
    description="As the order processor knows it at this moment.",
    responses=problems(401, 404, 422, 503),
)
async def get_margin(
    scope: ReadableAccount, gateway: GatewayState, mode: Mode = "paper"
) -> MarginView:
    return await gateway.margin.stand(scope.account_id, mode)


@router.patch(
    "",
    operation_id="changeMargin",
    summary="Make it a margin account, a cash account, or change its terms",
    description="What is left out stays as it is. Refused while positions and orders don't allow "
    "it: `requirement_not_met`, `margin_in_use`, `margin_call_open`.",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 503),
)
async def change_margin(
    scope: TradableAccount,
    gateway: GatewayState,
    body: Annotated[MarginChange, Body(openapi_examples=CHANGES)],
) -> MarginView:
    return await gateway.margin.change(scope.account_id, scope.caller.user_id, body)
