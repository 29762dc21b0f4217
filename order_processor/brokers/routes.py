"""`/internal/brokers`: for the gateway, which has made sure that the account is the caller's."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.concurrency import run_in_threadpool

from order_processor.brokers.connections import (
    BrokerConnection,
    BrokerName,
    Connections,
    Credentials,
)
from order_processor.settings import OrderProcessorSettings
from shared.models.base import encode
from shared.service.internal import require_internal_token
from shared.service.problems import Problem, not_found
from shared.trading.terms import Refused

#: Of what isn't 422.
_STATUS = {
    "broker_away": 503,
    "broker_connections_off": 503,
    "broker_account_differs": 409,
    "broker_account_taken": 409,
}


class ConnectRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    broker: BrokerName
    key_id: SecretStr
    secret: SecretStr
    connected_by: str


def brokers_router(settings: OrderProcessorSettings, connections: Connections) -> APIRouter:
    router = APIRouter(
        prefix="/internal/brokers", dependencies=[Depends(require_internal_token(settings))]
    )

    @router.post("/{account_id}", status_code=201)
    async def connect(account_id: UUID, body: Annotated[ConnectRequest, Body()]) -> Response:
        credentials = Credentials(body.key_id.get_secret_value(), body.secret.get_secret_value())
        made = await connections.connect(account_id, body.broker, credentials, body.connected_by)
        if isinstance(made, Refused):
            raise Problem(_STATUS.get(made.code, 422), made.code, made.message)
        return _answer(made, 201)

    @router.get("/{account_id}")
    async def see(account_id: UUID) -> Response:
        found = await run_in_threadpool(connections.see, account_id)
        if found is None:
            raise not_found("broker connection")
        return _answer(found)

    @router.post("/{account_id}/disconnect", status_code=204)
    async def disconnect(account_id: UUID) -> Response:
        if not await run_in_threadpool(connections.disconnect, account_id):
            raise not_found("broker connection")
        return Response(status_code=204)

    return router


def _answer(connection: BrokerConnection, status: int = 200) -> Response:
    return Response(encode(connection), status_code=status, media_type="application/json")
