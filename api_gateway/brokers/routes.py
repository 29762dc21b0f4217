"""An account's connection to its broker. The order processor verifies and keeps it."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from api_gateway.brokers.schemas import BrokerConnectionView, BrokerKeys
from api_gateway.dependencies import GatewayState, ReadableAccount, TradableAccount
from api_gateway.documentation import problems

router = APIRouter(prefix="/accounts/{account_id}/broker", tags=["accounts"])

_EXAMPLE = {"broker": "alpaca", "key_id": "PKEXAMPLE", "secret": "not-a-real-secret"}


@router.put(
    "",
    status_code=201,
    response_model=BrokerConnectionView,
    operation_id="connectBroker",
    summary="Connect the account to its broker",
    description="The keys are stored, encrypted, once the broker has opened an account with them "
    "(asked for at most 5 s). Again, with other keys for the same account at the broker, it takes "
    "these.",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def connect_broker(
    scope: TradableAccount,
    body: Annotated[BrokerKeys, Body(examples=[_EXAMPLE])],
    gateway: GatewayState,
) -> Response:
    return await gateway.books.post(
        f"/internal/brokers/{scope.account_id}",
        {
            "broker": body.broker,
            "key_id": body.key_id.get_secret_value(),
            "secret": body.secret.get_secret_value(),
            "connected_by": f"user:{scope.caller.user_id}",
        },
    )


@router.get(
    "",
    response_model=BrokerConnectionView,
    operation_id="getBroker",
    summary="The account's connection to its broker",
    responses=problems(401, 404, 422, 502, 503),
)
async def get_broker(scope: ReadableAccount, gateway: GatewayState) -> Response:
    return await gateway.books.get(f"/internal/brokers/{scope.account_id}")


@router.delete(
    "",
    status_code=204,
    operation_id="disconnectBroker",
    summary="Disconnect from the broker, and erase its keys",
    responses=problems(401, 403, 404, 422, 502, 503),
)
async def disconnect_broker(scope: TradableAccount, gateway: GatewayState) -> Response:
    return await gateway.books.post(f"/internal/brokers/{scope.account_id}/disconnect")
