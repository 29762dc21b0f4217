from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from strategy_workers.deployments.actions import Deployments
from strategy_workers.deployments.schemas import (
    DeploymentPage,
    DeploymentRequest,
    DeploymentView,
    LogLineView,
    LogPage,
    ParametersChange,
    ParametersPage,
    ParametersView,
    PauseRequest,
    SignalPage,
    SignalView,
)
from strategy_workers.deployments.variables import Variables
from strategy_workers.paging import Cursor, Limit, seq_place, time_cursor, time_place

router = APIRouter(prefix="/internal/deployments")


def deployments_of(request: Request) -> Deployments:
    deployments: Deployments = request.app.state.deployments
    return deployments


Actions = Annotated[Deployments, Depends(deployments_of)]


@router.post("", status_code=201)
def deploy(body: DeploymentRequest, deployments: Actions) -> DeploymentView:
    return DeploymentView.of(
        deployments.deploy(
            body.account_id,
            body.mode,
            body.strategy,
            body.parameters,
            body.symbols,
            body.timeframe,
        )
    )


@router.get("")
def list_deployments(
    account_id: UUID, deployments: Actions, limit: Limit = 100, cursor: Cursor = None
) -> DeploymentPage:
    """Newest first."""
    rows = deployments.page(account_id, time_place(cursor), limit + 1)
    more = rows[limit - 1] if len(rows) > limit else None
    return DeploymentPage(
        items=[DeploymentView.of(row) for row in rows[:limit]],
        next_cursor=time_cursor(more.created_at, more.id) if more else None,
    )


@router.get("/{deployment_id}")
def see_deployment(deployment_id: UUID, account_id: UUID, deployments: Actions) -> DeploymentView:
    return DeploymentView.of(deployments.find(account_id, deployment_id))


@router.post("/{deployment_id}/stop")
def stop_deployment(deployment_id: UUID, account_id: UUID, deployments: Actions) -> DeploymentView:
    return DeploymentView.of(deployments.stop(account_id, deployment_id))


@router.post("/{deployment_id}/pause")
def pause_deployment(
    deployment_id: UUID, account_id: UUID, deployments: Actions, body: PauseRequest | None = None
) -> DeploymentView:
    asked = body or PauseRequest()
    return DeploymentView.of(deployments.pause(account_id, deployment_id, asked.working_orders))


@router.post("/{deployment_id}/resume")
def resume_deployment(
    deployment_id: UUID, account_id: UUID, deployments: Actions
) -> DeploymentView:
    return DeploymentView.of(deployments.resume(account_id, deployment_id))


@router.patch("/{deployment_id}")
def change_parameters(
    deployment_id: UUID, account_id: UUID, body: ParametersChange, deployments: Actions
) -> DeploymentView:
    return DeploymentView.of(
        deployments.change_parameters(account_id, deployment_id, body.parameters, body.version)
    )


@router.get("/{deployment_id}/parameters")
def list_parameters(
    deployment_id: UUID,
    account_id: UUID,
    deployments: Actions,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ParametersPage:
    """Newest first."""
    rows = deployments.versions(account_id, deployment_id, seq_place(cursor), limit + 1)
    more = len(rows) > limit
    return ParametersPage(
        items=[ParametersView.of(row) for row in rows[:limit]],
        next_cursor=str(rows[limit - 1].version) if more else None,
    )


@router.get("/{deployment_id}/logs")
def list_logs(
    deployment_id: UUID,
    account_id: UUID,
    deployments: Actions,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> LogPage:
    """Newest first."""
    rows = deployments.logs(account_id, deployment_id, seq_place(cursor), limit + 1)
    more = len(rows) > limit
    return LogPage(
        items=[LogLineView.of(row) for row in rows[:limit]],
        next_cursor=str(rows[limit - 1].seq) if more else None,
    )


@router.get("/{deployment_id}/variables")
def see_variables(deployment_id: UUID, account_id: UUID, deployments: Actions) -> Variables:
    return deployments.variables(account_id, deployment_id)


@router.get("/{deployment_id}/signals")
def list_signals(
    deployment_id: UUID,
    account_id: UUID,
    deployments: Actions,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> SignalPage:
    """Newest first."""
    rows = deployments.signals(account_id, deployment_id, seq_place(cursor), limit + 1)
    more = len(rows) > limit
    return SignalPage(
        items=[SignalView.of(row) for row in rows[:limit]],
        next_cursor=str(rows[limit - 1].seq) if more else None,
    )
