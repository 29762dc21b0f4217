from typing import Annotated

from fastapi import APIRouter, Body, Path

from api_gateway.dependencies import Admin, GatewayState
from api_gateway.documentation import problems
from api_gateway.lending.schemas import LendingChange, LendingView
from api_gateway.values import Symbol

router = APIRouter(prefix="/admin/lending", tags=["admin"])

_EXAMPLES = [{"shortable": True, "borrow_fee_bps": "35"}, {"shortable": False}]


@router.patch(
    "/{symbol:path}",
    operation_id="setLending",
    summary="Say whether an instrument can be sold short, and what borrowing it costs (admin)",
    description="Holds for the next order and the next day's fees when it is answered; orders that "
    "work stay as they were accepted. 503 `limits_not_confirmed`: it is stored; send it again.",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
async def set_lending(
    caller: Admin,
    symbol: Annotated[Symbol, Path(examples=["SPY"])],
    body: Annotated[LendingChange, Body(examples=_EXAMPLES)],
    gateway: GatewayState,
) -> LendingView:
    return await gateway.lending.change(caller.user_id, symbol, body)
