"""Who may call a route is a type in its signature.

All of these are `async`: FastAPI would run plain ones in a thread each, on every request. They take
the gateway from the request: FastAPI works out each dependency of each of them on every request.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.errors import Refused
from api_gateway.wiring import Gateway
from shared.auth import AccountAccess, Principal

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    bearerFormat="JWT",
    description="The access token that `POST /api/v1/auth/login` gave.",
)


@dataclass(frozen=True)
class AccountScope:
    """An account that the caller may at least read."""

    account_id: UUID
    caller: Principal
    access: AccountAccess


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _gateway(request: Request) -> Gateway:
    return gateway_of(request)


GatewayState = Annotated[Gateway, Depends(_gateway)]


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    if credentials is None:
        raise Refused("unauthenticated", "Sign in first: this needs an access token.")
    return await gateway_of(request).callers.identify(credentials.credentials)


Caller = Annotated[Principal, Depends(_caller)]


async def _admin(caller: Caller) -> Principal:
    if caller.role != "admin":
        raise Refused("admins_only", "Only admins can do this.")
    return caller


Admin = Annotated[Principal, Depends(_admin)]


def _refuse_admins(caller: Principal) -> None:
    if caller.role == "admin":
        raise Refused("admins_can_not_trade", "Admins see all accounts and trade in none.")


async def _trader(caller: Caller) -> Principal:
    _refuse_admins(caller)
    if caller.role != "trader":
        raise Refused("investors_can_not_trade", "Investors watch accounts; they own none.")
    return caller


Trader = Annotated[Principal, Depends(_trader)]


async def _readable(request: Request, account_id: UUID, caller: Caller) -> AccountScope:
    access = await gateway_of(request).callers.access(caller, account_id)
    return AccountScope(account_id, caller, access)


ReadableAccount = Annotated[AccountScope, Depends(_readable)]


async def tradable_account(account_id: UUID, caller: Principal, gateway: Gateway) -> AccountScope:
    """Raises Refused."""
    _refuse_admins(caller)
    access = await gateway.callers.access(caller, account_id)
    if access != "owner":
        raise Refused("read_only", "This account is yours to watch, not to change.")
    return AccountScope(account_id, caller, access)


async def _tradable(request: Request, account_id: UUID, caller: Caller) -> AccountScope:
    return await tradable_account(account_id, caller, gateway_of(request))


TradableAccount = Annotated[AccountScope, Depends(_tradable)]
