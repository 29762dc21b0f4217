"""Moving parts of a position between strategies of an account, and what is traded by hand."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from api_gateway.dependencies import GatewayState, ReadableAccount, TradableAccount
from api_gateway.documentation import problems
from api_gateway.paging import Page, Place
from api_gateway.position_conversions.schemas import ConversionTicket, PositionConversionView
from api_gateway.values import Symbol, view
from shared.models.identifiers import Mode

router = APIRouter(prefix="/accounts/{account_id}/positions/{symbol}/conversions", tags=["orders"])

_EXAMPLES = [
    {"qty": "10", "to_deployment_id": "6f1c0d1e-6a5f-4b0e-9d7a-0d6c2c4e8a10"},
    {"qty": "10", "from_deployment_id": "6f1c0d1e-6a5f-4b0e-9d7a-0d6c2c4e8a10"},
]


@router.post(
    "",
    status_code=201,
    operation_id="convertPosition",
    summary="Move a part of a position to another strategy, or by hand",
    description="With its average price and without cash; the account's position stays as it is. "
    "Deployments must be paused (409 `deployment_running`), and learn of it when they resume; what "
    "working exits are to close stays with its owner (409 `exits_working`). A "
    "repeated `client_conversion_id` gives the first answer, with 200.",
    responses={
        200: {"model": PositionConversionView, "description": "This conversion was made before"},
        **problems(400, 401, 403, 404, 409, 413, 422, 503),
    },
)
async def convert_position(
    scope: TradableAccount,
    symbol: Symbol,
    body: Annotated[ConversionTicket, Body(examples=_EXAMPLES)],
    response: Response,
    gateway: GatewayState,
) -> PositionConversionView:
    conversions = gateway.position_conversions
    reply = await conversions.convert(scope.account_id, scope.caller.user_id, symbol, body)
    if reply.repeated:
        response.status_code = 200
    return view(PositionConversionView, reply.conversion)


@router.get(
    "",
    operation_id="listPositionConversions",
    summary="What was moved of a position, newest first",
    responses=problems(401, 404, 422, 503),
)
def list_conversions(
    scope: ReadableAccount,
    symbol: Symbol,
    gateway: GatewayState,
    place: Place,
    mode: Mode = "paper",
) -> Page[PositionConversionView]:
    return gateway.position_conversions.page(scope.account_id, mode, symbol, place)
