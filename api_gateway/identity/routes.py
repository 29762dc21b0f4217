from fastapi import APIRouter

from api_gateway.dependencies import Caller, GatewayState
from api_gateway.documentation import problems
from api_gateway.identity.schemas import (
    Credentials,
    RefreshRequest,
    Registration,
    TokenPair,
    UserView,
)
from api_gateway.values import view

router = APIRouter(prefix="/auth", tags=["identity"])


@router.post(
    "/register",
    status_code=201,
    operation_id="register",
    summary="Register a trader or an investor",
    responses=problems(400, 409, 413, 422, 503),
)
async def register(body: Registration, gateway: GatewayState) -> UserView:
    user = await gateway.identity.register(body.email, body.username, body.password, body.role)
    return view(UserView, user)


@router.post(
    "/login",
    operation_id="login",
    summary="Sign in with e-mail or username",
    responses=problems(400, 401, 413, 422, 503),
)
async def login(body: Credentials, gateway: GatewayState) -> TokenPair:
    return view(TokenPair, await gateway.identity.login(body.login, body.password))


@router.post(
    "/refresh",
    operation_id="refresh",
    summary="Exchange the refresh token for a new pair",
    description="Each refresh token works once. Using an old one ends the session.",
    responses=problems(400, 401, 413, 422, 503),
)
def refresh(body: RefreshRequest, gateway: GatewayState) -> TokenPair:
    return view(TokenPair, gateway.identity.refresh(body.refresh_token))


@router.post(
    "/logout",
    status_code=204,
    operation_id="logout",
    summary="End this session",
    responses=problems(401, 503),
)
def logout(caller: Caller, gateway: GatewayState) -> None:
    gateway.identity.logout(caller)
    gateway.callers.forget(caller.session_id)


@router.get("/me", operation_id="me", summary="The signed-in user", responses=problems(401, 503))
def me(caller: Caller, gateway: GatewayState) -> UserView:
    return view(UserView, gateway.identity.me(caller))
