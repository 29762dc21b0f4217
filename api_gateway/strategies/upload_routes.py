"""Strategies of users: uploaded by their author, approved by an admin."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Response

from api_gateway.dependencies import Admin, Caller, GatewayState, Trader
from api_gateway.documentation import problems
from api_gateway.strategies.upload_schemas import (
    StrategyDecision,
    StrategyUpload,
    StrategyVersionList,
    StrategyVersionView,
)
from api_gateway.values import Name
from shared.auth import Principal
from shared.service.problems import Problem

router = APIRouter(tags=["strategies"])

#: To be imported, and to run twice over made-up candles.
_TRIAL_TIMEOUT_S = 60.0

StrategyName = Annotated[Name, Path(examples=["my_first"])]
Version = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


def _versions(name: str) -> str:
    return f"/internal/strategies/{quote(name, safe='')}/versions"


def _author(caller: Principal) -> str | None:
    """Whose strategies the caller may see; None stands for all."""
    return None if caller.role == "admin" else str(caller.user_id)


@router.post(
    "/strategies",
    status_code=201,
    response_model=StrategyVersionView,
    operation_id="uploadStrategy",
    summary="Upload a strategy of your own, or its next version",
    description="It is tried before it is accepted: imported, and run over made-up candles in a "
    "confined process. What fails is told in `findings`. An admin approves it before it can be "
    "deployed. The same code again answers 200 and changes nothing.",
    responses={
        200: {"model": StrategyVersionView, "description": "This code was uploaded before"},
        **problems(400, 401, 403, 409, 413, 422, 429, 502, 503),
    },
)
async def upload_strategy(caller: Trader, body: StrategyUpload, gateway: GatewayState) -> Response:
    wait_s = await gateway.strategy_uploads.wait_s(str(caller.user_id))
    if wait_s is not None:
        raise Problem(
            429,
            "too_many_uploads",
            "Too many strategies were uploaded in the last minute: wait a little.",
            headers={"Retry-After": str(wait_s)},
            members={"limit": str(gateway.settings.strategy_uploads_per_minute)},
        )
    return await gateway.strategies.post(
        "/internal/strategies",
        {"author_id": str(caller.user_id), **body.model_dump(mode="json")},
        timeout_s=_TRIAL_TIMEOUT_S,
    )


@router.get(
    "/strategies/{name}/versions",
    response_model=StrategyVersionList,
    operation_id="listStrategyVersions",
    summary="Versions of a strategy of your own, newest first; admins see everybody's",
    responses=problems(401, 404, 422, 502, 503),
)
async def list_strategy_versions(
    caller: Caller, name: StrategyName, gateway: GatewayState
) -> Response:
    return await gateway.strategies.get(_versions(name), {"author_id": _author(caller)})


@router.post(
    "/strategies/{name}/versions/{version}/decision",
    response_model=StrategyVersionView,
    operation_id="decideOnStrategyVersion",
    summary="Approve or reject a version (admins)",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def decide_on_strategy_version(
    admin: Admin,
    name: StrategyName,
    version: Version,
    body: StrategyDecision,
    gateway: GatewayState,
) -> Response:
    return await gateway.strategies.post(
        f"{_versions(name)}/{version}/decision",
        {"by": str(admin.user_id), **body.model_dump(mode="json")},
    )


@router.delete(
    "/strategies/{name}/versions/{version}",
    response_model=StrategyVersionView,
    operation_id="removeStrategyVersion",
    summary="Remove a version that no deployment runs (its author, or an admin)",
    responses=problems(401, 404, 409, 422, 502, 503),
)
async def remove_strategy_version(
    caller: Caller, name: StrategyName, version: Version, gateway: GatewayState
) -> Response:
    return await gateway.strategies.delete(
        f"{_versions(name)}/{version}",
        {"by": str(caller.user_id), "author_id": _author(caller)},
    )
