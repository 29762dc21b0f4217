from typing import Annotated, NamedTuple
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api_gateway.dependencies import Caller, GatewayState, ReadableAccount, TradableAccount
from api_gateway.documentation import problems
from api_gateway.paging import Page
from api_gateway.strategies.schemas import (
    DeploymentRequest,
    DeploymentView,
    LogLineView,
    ParametersChange,
    ParametersView,
    PauseRequest,
    PlotPointView,
    SignalView,
    StrategyList,
    StrategyView,
    VariablesView,
)
from api_gateway.values import Name

router = APIRouter(tags=["strategies"])

_DEPLOYMENTS = "/accounts/{account_id}/deployments"
_READ = problems(401, 404, 422, 502, 503)
_CHANGE = problems(400, 401, 403, 404, 409, 413, 422, 502, 503)


class _Place(NamedTuple):
    """Of a page, by the strategy service's own cursor; it checks what that means."""

    cursor: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._:=/-]{1,200}$")] = None
    limit: Annotated[int, Query(ge=1, le=1000)] = 100


Place = Annotated[_Place, Depends()]


async def _listed(
    scope: ReadableAccount, place: _Place, gateway: GatewayState, of_deployment: str = ""
) -> Response:
    """A page of the account's deployments, or of what one of them has (`/{id}/{what}`)."""
    return await gateway.strategies.get(
        f"/internal/deployments{of_deployment}",
        {"account_id": str(scope.account_id), **place._asdict()},
    )


@router.get(
    "/strategies",
    response_model=StrategyList,
    operation_id="listStrategies",
    summary="The catalogue, with the JSON schemas of the parameters",
    responses=problems(401, 502, 503),
)
async def list_strategies(_: Caller, gateway: GatewayState) -> Response:
    return await gateway.strategies.get("/internal/strategies")


@router.get(
    "/strategies/{name}",
    response_model=StrategyView,
    operation_id="getStrategy",
    summary="One strategy",
    responses=_READ,
)
async def get_strategy(
    _: Caller, name: Annotated[Name, Path(examples=["sma_crossover"])], gateway: GatewayState
) -> Response:
    return await gateway.strategies.get(f"/internal/strategies/{quote(name, safe='')}")


@router.post(
    _DEPLOYMENTS,
    status_code=201,
    response_model=DeploymentView,
    operation_id="deployStrategy",
    summary="Run a strategy on the account",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def deploy_strategy(
    scope: TradableAccount, body: DeploymentRequest, gateway: GatewayState
) -> Response:
    return await gateway.strategies.post(
        "/internal/deployments",
        {"account_id": str(scope.account_id), **body.model_dump(mode="json")},
    )


@router.get(
    _DEPLOYMENTS,
    response_model=Page[DeploymentView],
    operation_id="listDeployments",
    summary="Strategies of the account, running and stopped",
    responses=_READ,
)
async def list_deployments(scope: ReadableAccount, place: Place, gateway: GatewayState) -> Response:
    return await _listed(scope, place, gateway)


@router.get(
    _DEPLOYMENTS + "/{deployment_id}",
    response_model=DeploymentView,
    operation_id="getDeployment",
    summary="One running or stopped strategy",
    responses=_READ,
)
async def get_deployment(
    scope: ReadableAccount, deployment_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.get(
        f"/internal/deployments/{deployment_id}", {"account_id": str(scope.account_id)}
    )


@router.post(
    _DEPLOYMENTS + "/{deployment_id}/stop",
    response_model=DeploymentView,
    operation_id="stopDeployment",
    summary="Stop a strategy; its working orders are cancelled",
    responses=problems(401, 403, 404, 409, 422, 502, 503),
)
async def stop_deployment(
    scope: TradableAccount, deployment_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.post(
        f"/internal/deployments/{deployment_id}/stop",
        query={"account_id": str(scope.account_id)},
    )


@router.post(
    _DEPLOYMENTS + "/{deployment_id}/pause",
    response_model=DeploymentView,
    operation_id="pauseDeployment",
    summary="Pause a strategy; its state is kept",
    responses=_CHANGE,
)
async def pause_deployment(
    scope: TradableAccount,
    deployment_id: UUID,
    gateway: GatewayState,
    body: PauseRequest | None = None,
) -> Response:
    return await gateway.strategies.post(
        f"/internal/deployments/{deployment_id}/pause",
        (body or PauseRequest()).model_dump(mode="json"),
        query={"account_id": str(scope.account_id)},
    )


@router.post(
    _DEPLOYMENTS + "/{deployment_id}/resume",
    response_model=DeploymentView,
    operation_id="resumeDeployment",
    summary="Go on with a paused strategy; refused while the risk ladder forbids a start",
    responses=_CHANGE,
)
async def resume_deployment(
    scope: TradableAccount, deployment_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.post(
        f"/internal/deployments/{deployment_id}/resume",
        query={"account_id": str(scope.account_id)},
    )


@router.patch(
    _DEPLOYMENTS + "/{deployment_id}",
    response_model=DeploymentView,
    operation_id="changeParameters",
    summary="Change parameters; the next mark of time is the first that they decide",
    responses=_CHANGE,
)
async def change_parameters(
    scope: TradableAccount, deployment_id: UUID, body: ParametersChange, gateway: GatewayState
) -> Response:
    return await gateway.strategies.patch(
        f"/internal/deployments/{deployment_id}",
        body.model_dump(mode="json"),
        query={"account_id": str(scope.account_id)},
    )


@router.post(
    _DEPLOYMENTS + "/{deployment_id}/rollback",
    response_model=DeploymentView,
    operation_id="rollDeploymentBack",
    summary="Back to the parameters and the code of before the last change",
    responses=_CHANGE,
)
async def roll_deployment_back(
    scope: TradableAccount, deployment_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.post(
        f"/internal/deployments/{deployment_id}/rollback",
        query={"account_id": str(scope.account_id)},
    )


@router.get(
    _DEPLOYMENTS + "/{deployment_id}/parameters",
    response_model=Page[ParametersView],
    operation_id="listParameters",
    summary="Versions of the parameters, and since when they decide",
    responses=_READ,
)
async def list_parameters(
    scope: ReadableAccount, deployment_id: UUID, place: Place, gateway: GatewayState
) -> Response:
    return await _listed(scope, place, gateway, f"/{deployment_id}/parameters")


@router.get(
    _DEPLOYMENTS + "/{deployment_id}/logs",
    response_model=Page[LogLineView],
    operation_id="listLogLines",
    summary="The newest 1,000 lines that a strategy logged, and what happened to it",
    responses=_READ,
)
async def list_log_lines(
    scope: ReadableAccount, deployment_id: UUID, place: Place, gateway: GatewayState
) -> Response:
    return await _listed(scope, place, gateway, f"/{deployment_id}/logs")


@router.get(
    _DEPLOYMENTS + "/{deployment_id}/plots",
    response_model=Page[PlotPointView],
    operation_id="listPlotPoints",
    summary="The newest 10,000 points of the series that a strategy draws",
    responses=_READ,
)
async def list_plot_points(
    scope: ReadableAccount, deployment_id: UUID, place: Place, gateway: GatewayState
) -> Response:
    return await _listed(scope, place, gateway, f"/{deployment_id}/plots")


@router.get(
    _DEPLOYMENTS + "/{deployment_id}/variables",
    response_model=VariablesView,
    operation_id="getVariables",
    summary="A strategy's state, indicators, positions, orders and timers",
    responses=_READ,
)
async def get_variables(
    scope: ReadableAccount, deployment_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.get(
        f"/internal/deployments/{deployment_id}/variables", {"account_id": str(scope.account_id)}
    )


@router.get(
    _DEPLOYMENTS + "/{deployment_id}/signals",
    response_model=Page[SignalView],
    operation_id="listSignals",
    summary="Decisions of a strategy",
    responses=_READ,
)
async def list_signals(
    scope: ReadableAccount, deployment_id: UUID, place: Place, gateway: GatewayState
) -> Response:
    return await _listed(scope, place, gateway, f"/{deployment_id}/signals")
