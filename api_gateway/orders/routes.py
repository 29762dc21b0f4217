from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request, Response

from api_gateway.cash.schemas import LedgerEntryView
from api_gateway.dependencies import GatewayState, ReadableAccount, TradableAccount, gateway_of
from api_gateway.documentation import problems
from api_gateway.orders.actions import protection_view, with_legs
from api_gateway.orders.examples import CLOSINGS, PARTS, PROTECTIONS, REPLACEMENTS, TICKETS
from api_gateway.orders.filters import ExecutionFilters, LedgerFilters, OrderFilters
from api_gateway.orders.schemas import (
    CancelledOrders,
    ClosedPositions,
    Closing,
    ExecutionView,
    LotClosingView,
    LotView,
    OrderReplacement,
    OrderTicket,
    OrderView,
    PositionClosing,
    PositionView,
    ProtectionTicket,
    ProtectionView,
    StrategyPositionView,
)
from api_gateway.paging import OrderedPlace, Page, Place
from api_gateway.values import Symbol, view
from shared.models.identifiers import Mode
from shared.models.orders import OrderReply
from shared.service.problems import Problem

router = APIRouter(prefix="/accounts/{account_id}", tags=["orders"])

_LIST = problems(401, 404, 422, 503)


@router.post(
    "/orders",
    status_code=201,
    response_model=OrderView,
    operation_id="submitOrder",
    summary="Submit an order",
    description="Answers after the order and its legs are stored for good. A repeated "
    "`client_order_id` gives the first order again, with 200. A 503 `outcome_unknown` "
    "means: send it again with the `client_order_id` of that answer.",
    responses={
        200: {"model": OrderView, "description": "This order was submitted before"},
        **problems(400, 401, 403, 404, 409, 413, 429, 503),
        **problems(422, schema="OrderProblem"),
    },
)
async def submit_order(
    scope: TradableAccount,
    ticket: Annotated[OrderTicket, Body(openapi_examples=TICKETS)],
    request: Request,
) -> Response:
    orders = gateway_of(request).orders
    return _told(await orders.submit(scope.account_id, scope.caller.user_id, ticket))


def _told(reply: OrderReply) -> Response:
    """The order, with 200 when it was there before; a rejected one is a problem.

    Written here: FastAPI would check the view once more, and write it as objects first.
    """
    order = with_legs(reply.order, reply.legs)
    if order.status == "rejected":
        raise Problem(
            422,
            order.reason_code or "rejected",
            order.reason or "The order was rejected.",
            members={"order": order.model_dump(mode="json")},
        )
    return Response(
        order.model_dump_json(),
        status_code=200 if reply.repeated else 201,
        media_type="application/json",
    )


@router.get("/orders", operation_id="listOrders", summary="Orders of the account", responses=_LIST)
def list_orders(
    scope: ReadableAccount,
    gateway: GatewayState,
    only: OrderFilters,
    place: OrderedPlace,
    mode: Mode = "paper",
) -> Page[OrderView]:
    return gateway.orders.orders(scope.account_id, mode, only, place)


@router.get("/orders/{order_id}", operation_id="getOrder", summary="One order", responses=_LIST)
def get_order(scope: ReadableAccount, order_id: UUID, gateway: GatewayState) -> OrderView:
    return gateway.orders.order_with_legs(scope.account_id, order_id)


@router.delete(
    "/orders/{order_id}",
    operation_id="cancelOrder",
    summary="Cancel a working order",
    description="An exit takes the rest of its group along; an entry only what it has not filled.",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def cancel_order(scope: TradableAccount, order_id: UUID, gateway: GatewayState) -> OrderView:
    reply = await gateway.orders.cancel(scope.account_id, scope.caller.user_id, order_id)
    return view(OrderView, reply.order)


@router.patch(
    "/orders/{order_id}",
    status_code=201,
    response_model=OrderView,
    operation_id="replaceOrder",
    summary="Replace a working order",
    description="A new order takes its place in one step, with `replaces`; the old one becomes "
    "`replaced`, with `replaced_by`. When the new one is refused or rejected, the old one works "
    "on. An order that has ended meanwhile is not replaced (409 `order_not_working`).",
    responses={
        200: {"model": OrderView, "description": "This replacement was made before"},
        **problems(400, 401, 403, 404, 409, 413, 429, 503),
        **problems(422, schema="OrderProblem"),
    },
)
async def replace_order(
    scope: TradableAccount,
    order_id: UUID,
    replacement: Annotated[OrderReplacement, Body(openapi_examples=REPLACEMENTS)],
    gateway: GatewayState,
) -> Response:
    return _told(
        await gateway.orders.replace(scope.account_id, scope.caller.user_id, order_id, replacement)
    )


@router.delete(
    "/orders",
    operation_id="cancelOrders",
    summary="Cancel all working orders, or those in one symbol",
    responses=problems(401, 403, 404, 422, 503),
)
async def cancel_orders(
    scope: TradableAccount,
    gateway: GatewayState,
    mode: Mode = "paper",
    symbol: Symbol | None = None,
) -> CancelledOrders:
    return await gateway.orders.cancel_all(scope.account_id, scope.caller.user_id, mode, symbol)


@router.post(
    "/positions/close",
    operation_id="closePositions",
    summary="Close all positions",
    description="One market order a position, all in one step.",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def close_positions(
    scope: TradableAccount,
    closing: Annotated[Closing, Body(openapi_examples=CLOSINGS)],
    gateway: GatewayState,
) -> ClosedPositions:
    return await gateway.orders.close_all(scope.account_id, scope.caller.user_id, closing)


@router.post(
    "/positions/{symbol:path}/close",
    status_code=201,
    response_model=OrderView,
    operation_id="closePosition",
    summary="Close the position in a symbol",
    description="By a market order over the whole quantity, or the part that `qty` or `percent` "
    "says; it is answered. 409 `position_not_open` when there is none.",
    responses={
        200: {"model": OrderView, "description": "This order was made before"},
        **problems(400, 401, 403, 404, 409, 413, 429, 503),
        **problems(422, schema="OrderProblem"),
    },
)
async def close_position(
    scope: TradableAccount,
    symbol: Symbol,
    closing: Annotated[PositionClosing, Body(openapi_examples=CLOSINGS | PARTS)],
    gateway: GatewayState,
) -> Response:
    return _told(
        await gateway.orders.close(scope.account_id, scope.caller.user_id, symbol, closing)
    )


@router.put(
    "/positions/{symbol:path}/protection",
    operation_id="protectPosition",
    summary="Protect the position in a symbol",
    description="Exits whose quantity follows the position until it is closed, in the place of "
    "those that protect it already. 409 `position_not_open` when there is nothing to protect.",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
async def protect_position(
    scope: TradableAccount,
    symbol: Symbol,
    ticket: Annotated[ProtectionTicket, Body(openapi_examples=PROTECTIONS)],
    gateway: GatewayState,
) -> ProtectionView:
    reply = await gateway.orders.protect(scope.account_id, scope.caller.user_id, symbol, ticket)
    return protection_view(symbol, [reply.order, *reply.legs])


@router.get(
    "/positions/{symbol:path}/protection",
    operation_id="getProtection",
    summary="What protects the position in a symbol",
    responses=_LIST,
)
def get_protection(
    scope: ReadableAccount, symbol: Symbol, gateway: GatewayState, mode: Mode = "paper"
) -> ProtectionView:
    return gateway.orders.protection(scope.account_id, mode, symbol)


@router.delete(
    "/positions/{symbol:path}/protection",
    status_code=204,
    operation_id="unprotectPosition",
    summary="Cancel what protects the position in a symbol",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def unprotect_position(
    scope: TradableAccount, symbol: Symbol, gateway: GatewayState, mode: Mode = "paper"
) -> None:
    await gateway.orders.unprotect(scope.account_id, scope.caller.user_id, mode, symbol)


@router.get(
    "/executions",
    operation_id="listExecutions",
    summary="Executions of the account",
    responses=_LIST,
)
def list_executions(
    scope: ReadableAccount,
    gateway: GatewayState,
    only: ExecutionFilters,
    place: OrderedPlace,
    mode: Mode = "paper",
) -> Page[ExecutionView]:
    return gateway.orders.executions(scope.account_id, mode, only, place)


@router.get(
    "/positions",
    operation_id="listPositions",
    summary="Positions, by symbol; flat ones stay for their realised profit",
    responses=_LIST,
)
def list_positions(
    scope: ReadableAccount, gateway: GatewayState, place: Place, mode: Mode = "paper"
) -> Page[PositionView]:
    return gateway.orders.positions(scope.account_id, mode, place)


@router.get(
    "/strategy-positions",
    operation_id="listStrategyPositions",
    summary="Positions per strategy, and those traded by hand; together they are the positions",
    responses=_LIST,
)
def list_strategy_positions(
    scope: ReadableAccount, gateway: GatewayState, place: Place, mode: Mode = "paper"
) -> Page[StrategyPositionView]:
    return gateway.orders.strategy_positions(scope.account_id, mode, place)


@router.get(
    "/lots",
    operation_id="listLots",
    summary="Open FIFO lots, oldest first",
    responses=_LIST,
)
def list_lots(
    scope: ReadableAccount,
    gateway: GatewayState,
    place: Place,
    mode: Mode = "paper",
    symbol: Symbol | None = None,
) -> Page[LotView]:
    return gateway.orders.open_lots(scope.account_id, mode, symbol, place)


@router.get(
    "/lots/closed",
    operation_id="listClosedLots",
    summary="What was closed of FIFO lots, with its profit, by lot",
    responses=_LIST,
)
def list_closed_lots(
    scope: ReadableAccount,
    gateway: GatewayState,
    place: Place,
    mode: Mode = "paper",
    symbol: Symbol | None = None,
) -> Page[LotClosingView]:
    return gateway.orders.lot_closings(scope.account_id, mode, symbol, place)


@router.get("/ledger", operation_id="listLedger", summary="Cash, entry by entry", responses=_LIST)
def list_ledger(
    scope: ReadableAccount,
    gateway: GatewayState,
    only: LedgerFilters,
    place: OrderedPlace,
    mode: Mode = "paper",
) -> Page[LedgerEntryView]:
    return gateway.orders.ledger(scope.account_id, mode, only, place)
