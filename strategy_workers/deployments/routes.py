from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from strategy_workers.deployments.actions import Deployments
from strategy_workers.deployments.schemas import (
    DeploymentRequest,
    DeploymentView,
    LogLineView,
    Page,
    ParametersChange,
    ParametersView,
    PauseRequest,
    PlotPointView,
    SignalView,
)
from strategy_workers.deployments.variables import Variables
from strategy_workers.paging import Cursor, Limit, seq_place, time_cursor, time_place

router = APIRouter(prefix="/internal/deployments")


class _Place(NamedTuple):
    """Of a page in a list that is numbered."""

    limit: Limit = 100
    cursor: Cursor = None

    def after(self) -> int | None:
        return seq_place(self.cursor)

    def next(self, numbers: list[int], found: int) -> str | None:
        """The cursor of the next page, if more was `found` than is shown."""
        return str(numbers[-1]) if found > len(numbers) else None


Place = Annotated[_Place, Depends()]


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
            body.strategy_version,
        )
    )


@router.get("")
def list_deployments(
    account_id: UUID, deployments: Actions, limit: Limit = 100, cursor: Cursor = None
) -> Page[DeploymentView]:
    """Newest first."""
    rows = deployments.page(account_id, time_place(cursor), limit + 1)
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(
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
        deployments.change_parameters(
            account_id, deployment_id, body.parameters, body.version, body.strategy_version
        )
    )


@router.post("/{deployment_id}/rollback")
def roll_deployment_back(
    deployment_id: UUID, account_id: UUID, deployments: Actions
) -> DeploymentView:
    return DeploymentView.of(deployments.roll_back(account_id, deployment_id))


@router.get("/{deployment_id}/parameters")
def list_parameters(
    deployment_id: UUID, account_id: UUID, deployments: Actions, place: Place
) -> Page[ParametersView]:
    rows = deployments.versions(account_id, deployment_id, place.after(), place.limit + 1)
    shown = [ParametersView.of(row) for row in rows[: place.limit]]
    return Page(items=shown, next_cursor=place.next([each.version for each in shown], len(rows)))


@router.get("/{deployment_id}/logs")
def list_logs(
    deployment_id: UUID, account_id: UUID, deployments: Actions, place: Place
) -> Page[LogLineView]:
    rows = deployments.logs(account_id, deployment_id, place.after(), place.limit + 1)
    shown = [LogLineView.of(row) for row in rows[: place.limit]]
    return Page(items=shown, next_cursor=place.next([each.seq for each in shown], len(rows)))


@router.get("/{deployment_id}/plots")
def list_plots(
    deployment_id: UUID, account_id: UUID, deployments: Actions, place: Place
) -> Page[PlotPointView]:
    rows = deployments.plots(account_id, deployment_id, place.after(), place.limit + 1)
    shown = [PlotPointView.of(row) for row in rows[: place.limit]]
    return Page(items=shown, next_cursor=place.next([each.seq for each in shown], len(rows)))


@router.get("/{deployment_id}/variables")
def see_variables(deployment_id: UUID, account_id: UUID, deployments: Actions) -> Variables:
    return deployments.variables(account_id, deployment_id)


@router.get("/{deployment_id}/signals")
def list_signals(
    deployment_id: UUID, account_id: UUID, deployments: Actions, place: Place
) -> Page[SignalView]:
    rows = deployments.signals(account_id, deployment_id, place.after(), place.limit + 1)
    shown = [SignalView.of(row) for row in rows[: place.limit]]
    return Page(items=shown, next_cursor=place.next([each.seq for each in shown], len(rows)))
