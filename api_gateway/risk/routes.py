from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool

from api_gateway.dependencies import Admin, GatewayState, ReadableAccount, TradableAccount
from api_gateway.documentation import problems
from api_gateway.paging import Page, Place
from api_gateway.risk.schemas import (
    AccountKillSwitch,
    AccountLimits,
    Acknowledgement,
    AuditEntry,
    DeploymentLimits,
    KillSwitch,
    LimitsView,
    PlatformSwitchView,
    RiskView,
)
from shared.models.identifiers import Mode

router = APIRouter(tags=["risk"])

_ACCOUNT = "/accounts/{account_id}"
_RISK_OF_DEPLOYMENT = _ACCOUNT + "/deployments/{deployment_id}/risk"
_DEPLOYMENT = _RISK_OF_DEPLOYMENT + "/limits"
_READ = problems(401, 404, 422, 503)
_ADMIN = problems(401, 403, 404, 422, 503)
_WRITE = problems(400, 401, 403, 404, 409, 413, 422, 503)
UserId = Annotated[UUID, Path()]


# --- of an account ---------------------------------------------------------------------------


@router.get(
    _ACCOUNT + "/risk",
    operation_id="getRisk",
    summary="Exposure, limits with their use, latches",
    description="As the order processor knows it at this moment.",
    responses=_READ,
)
async def get_risk(scope: ReadableAccount, gateway: GatewayState, mode: Mode = "paper") -> RiskView:
    return await gateway.risk.stand(scope.account_id, mode)


@router.post(
    _ACCOUNT + "/risk/acknowledge",
    operation_id="acknowledgeLoss",
    summary="Let orders pass again after the loss limit was reached",
    description="The loss counts anew from here. Strategies stay paused. 409 "
    "`loss_limit_not_latched` when there is nothing to acknowledge.",
    responses=_WRITE,
)
async def acknowledge_loss(
    scope: TradableAccount, body: Acknowledgement, gateway: GatewayState
) -> RiskView:
    return await gateway.risk.acknowledge(scope.account_id, scope.caller.user_id, body.mode)


@router.post(
    _ACCOUNT + "/risk/kill-switch",
    operation_id="engageKillSwitch",
    summary="Cancel all orders and take no more",
    description="Strategies pause. `flatten` closes the positions too. Asked again it changes "
    "nothing, unless `flatten` is new. Positions can still be closed.",
    responses=_WRITE,
)
async def engage_kill_switch(
    scope: TradableAccount, body: AccountKillSwitch, gateway: GatewayState
) -> RiskView:
    return await gateway.risk.engage(scope.account_id, scope.caller.user_id, body)


@router.delete(
    _ACCOUNT + "/risk/kill-switch",
    operation_id="releaseKillSwitch",
    summary="Take orders again",
    description="Strategies stay paused. 409 `kill_switch_not_engaged` when it is not.",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def release_kill_switch(
    scope: TradableAccount, gateway: GatewayState, mode: Mode = "paper"
) -> RiskView:
    return await gateway.risk.release(scope.account_id, scope.caller.user_id, mode)


@router.get(
    _ACCOUNT + "/risk/limits",
    operation_id="getAccountLimits",
    summary="The account's own limits",
    responses=_READ,
)
def get_account_limits(
    scope: ReadableAccount, gateway: GatewayState, mode: Mode = "paper"
) -> LimitsView:
    return gateway.risk.limits("account", scope.account_id, mode)


@router.put(
    _ACCOUNT + "/risk/limits",
    operation_id="setAccountLimits",
    summary="Set the account's own limits, all at once",
    description="Of all levels the tightest limit holds, so none can be loosened here that was "
    "set above. They hold when it answers; 503 `limits_not_confirmed` when they are stored and not "
    "all order processors have said so in time.",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
async def set_account_limits(
    scope: TradableAccount, body: AccountLimits, gateway: GatewayState, mode: Mode = "paper"
) -> LimitsView:
    return await gateway.risk.set_limits(
        scope.caller.user_id, "account", scope.account_id, mode, body, account_id=scope.account_id
    )


@router.get(
    _DEPLOYMENT,
    operation_id="getDeploymentLimits",
    summary="A strategy's own limits",
    responses=_READ,
)
def get_deployment_limits(
    scope: ReadableAccount, deployment_id: UUID, gateway: GatewayState
) -> LimitsView:
    mode = gateway.risk.deployment_mode(scope.account_id, deployment_id)
    return gateway.risk.limits("deployment", deployment_id, mode)


@router.put(
    _DEPLOYMENT,
    operation_id="setDeploymentLimits",
    summary="Set a strategy's own limits, all at once",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
async def set_deployment_limits(
    scope: TradableAccount, deployment_id: UUID, body: DeploymentLimits, gateway: GatewayState
) -> LimitsView:
    mode = await run_in_threadpool(gateway.risk.deployment_mode, scope.account_id, deployment_id)
    return await gateway.risk.set_limits(
        scope.caller.user_id,
        "deployment",
        deployment_id,
        mode,
        body,
        account_id=scope.account_id,
    )


@router.post(
    _RISK_OF_DEPLOYMENT + "/acknowledge",
    operation_id="acknowledgeDeploymentLoss",
    summary="Let a strategy's orders pass again after its own loss limit was reached",
    description="Its loss counts anew from here. It stays paused. 409 `loss_limit_not_latched` "
    "when there is nothing to acknowledge.",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def acknowledge_deployment_loss(
    scope: TradableAccount, deployment_id: UUID, gateway: GatewayState
) -> RiskView:
    mode = await run_in_threadpool(gateway.risk.deployment_mode, scope.account_id, deployment_id)
    return await gateway.risk.acknowledge(
        scope.account_id, scope.caller.user_id, mode, deployment_id
    )


@router.get(
    _ACCOUNT + "/audit",
    operation_id="listAudit",
    summary="Who did what, newest first",
    responses=_READ,
)
def list_audit(
    scope: ReadableAccount,
    gateway: GatewayState,
    place: Place,
    mode: Mode | None = None,
) -> Page[AuditEntry]:
    return gateway.risk.audit(scope.account_id, mode, place)


# --- of users and the platform ---------------------------------------------------------------


@router.get(
    "/risk/limits",
    operation_id="getPlatformLimits",
    summary="Limits of every account (admins)",
    responses=_ADMIN,
)
def get_platform_limits(_: Admin, gateway: GatewayState, mode: Mode = "paper") -> LimitsView:
    return gateway.risk.limits("platform", None, mode)


@router.put(
    "/risk/limits",
    operation_id="setPlatformLimits",
    summary="Set the limits of every account, all at once (admins)",
    description="Each account is limited by itself; they don't add up.",
    responses=problems(400, 401, 403, 413, 422, 503),
)
async def set_platform_limits(
    admin: Admin, body: AccountLimits, gateway: GatewayState, mode: Mode = "paper"
) -> LimitsView:
    return await gateway.risk.set_limits(admin.user_id, "platform", None, mode, body)


@router.get(
    "/risk/users/{user_id}/limits",
    operation_id="getUserLimits",
    summary="Limits of every account of a user (admins)",
    responses=_ADMIN,
)
def get_user_limits(
    _: Admin, user_id: UserId, gateway: GatewayState, mode: Mode = "paper"
) -> LimitsView:
    return gateway.risk.limits("user", user_id, mode)


@router.put(
    "/risk/users/{user_id}/limits",
    operation_id="setUserLimits",
    summary="Set the limits of every account of a user, all at once (admins)",
    responses=problems(400, 401, 403, 404, 413, 422, 503),
)
async def set_user_limits(
    admin: Admin,
    user_id: UserId,
    body: AccountLimits,
    gateway: GatewayState,
    mode: Mode = "paper",
) -> LimitsView:
    return await gateway.risk.set_limits(admin.user_id, "user", user_id, mode, body)


@router.get(
    "/risk/kill-switch",
    operation_id="getPlatformKillSwitch",
    summary="The platform's kill switch (admins)",
    responses=problems(401, 403, 422, 503),
)
def get_platform_switch(_: Admin, gateway: GatewayState) -> PlatformSwitchView:
    return gateway.risk.platform_switch()


@router.post(
    "/risk/kill-switch",
    operation_id="engagePlatformKillSwitch",
    summary="Cancel all orders of everybody and take no more (admins)",
    description="Every order processor has carried it out when it answers; 503 "
    "`limits_not_confirmed` when it is stored and some have not said so in time.",
    responses=problems(400, 401, 403, 413, 422, 503),
)
async def engage_platform_switch(
    admin: Admin, body: KillSwitch, gateway: GatewayState
) -> PlatformSwitchView:
    return await gateway.risk.engage_platform(admin.user_id, body)


@router.delete(
    "/risk/kill-switch",
    operation_id="releasePlatformKillSwitch",
    summary="Take orders again (admins)",
    description="Strategies stay paused. Order processors follow within ORDER_RISK_REFRESH_S.",
    responses=problems(401, 403, 409, 422, 503),
)
def release_platform_switch(admin: Admin, gateway: GatewayState) -> PlatformSwitchView:
    return gateway.risk.release_platform(admin.user_id)


@router.get(
    "/risk/audit",
    operation_id="listAllAudit",
    summary="Who did what anywhere, newest first (admins)",
    responses=problems(401, 403, 422, 503),
)
def list_all_audit(
    _: Admin,
    gateway: GatewayState,
    place: Place,
    mode: Mode | None = None,
) -> Page[AuditEntry]:
    return gateway.risk.audit(None, mode, place)
