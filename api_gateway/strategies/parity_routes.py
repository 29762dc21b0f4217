from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api_gateway.dependencies import (
    AccountScope,
    Caller,
    GatewayState,
    ReadableAccount,
    tradable_account,
)
from api_gateway.documentation import problems
from api_gateway.paging import Page
from api_gateway.strategies.parity_schemas import (
    ParityReportDetails,
    ParityReportView,
    ParityRequest,
)
from api_gateway.strategies.routes import Place

router = APIRouter(
    prefix="/accounts/{account_id}/deployments/{deployment_id}/parity-reports",
    tags=["strategies"],
)

_READ = problems(401, 404, 422, 502, 503)
_CHANGE = problems(401, 403, 404, 409, 422, 502, 503)


async def _asking(scope: ReadableAccount, caller: Caller, gateway: GatewayState) -> AccountScope:
    """Who may trade in the account, and admins: a report changes nothing in it."""
    if caller.role == "admin":
        return scope
    return await tradable_account(scope.account_id, caller, gateway)


Asking = Annotated[AccountScope, Depends(_asking)]


def _path(deployment_id: UUID, rest: str = "") -> str:
    return f"/internal/deployments/{deployment_id}/parity-reports{rest}"


def _own(scope: AccountScope) -> dict[str, str]:
    return {"account_id": str(scope.account_id), "owner_id": str(scope.caller.user_id)}


@router.post(
    "",
    status_code=201,
    response_model=ParityReportView,
    operation_id="askForParityReport",
    summary="Make a run of the deployment again as a backtest, and compare",
    description="It goes on by itself, as a backtest does: ask for it again until its `status` is "
    "`done`, `failed` or `cancelled`.",
    responses=problems(400, 401, 403, 404, 409, 413, 422, 502, 503),
)
async def ask_for_report(
    scope: Asking, deployment_id: UUID, gateway: GatewayState, body: ParityRequest | None = None
) -> Response:
    asked = (body or ParityRequest()).model_dump(mode="json", exclude={"paper_terms"})
    terms = body.paper_terms if body else None
    return await gateway.strategies.post(
        _path(deployment_id),
        {
            **asked,
            "owner_id": str(scope.caller.user_id),
            "paper_terms": terms.model_dump(mode="json", exclude_none=True) if terms else {},
        },
        query={"account_id": str(scope.account_id)},
    )


@router.get(
    "",
    response_model=Page[ParityReportView],
    operation_id="listParityReports",
    summary="Parity reports of the deployment, the newest first",
    responses=_READ,
)
async def list_reports(
    scope: ReadableAccount, deployment_id: UUID, place: Place, gateway: GatewayState
) -> Response:
    return await gateway.strategies.get(
        _path(deployment_id), {"account_id": str(scope.account_id), **place._asdict()}
    )


@router.get(
    "/{report_id}",
    response_model=ParityReportDetails,
    operation_id="getParityReport",
    summary="One parity report: each difference with what explains it",
    responses=_READ,
)
async def get_report(
    scope: ReadableAccount, deployment_id: UUID, report_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.get(
        _path(deployment_id, f"/{report_id}"), {"account_id": str(scope.account_id)}
    )


@router.post(
    "/{report_id}/cancel",
    response_model=ParityReportView,
    operation_id="cancelParityReport",
    summary="End one of one's own; one that is over stays as it is",
    responses=_CHANGE,
)
async def cancel_report(
    scope: Asking, deployment_id: UUID, report_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.post(
        _path(deployment_id, f"/{report_id}/cancel"),
        query=_own(scope),
    )


@router.delete(
    "/{report_id}",
    status_code=204,
    operation_id="deleteParityReport",
    summary="Delete one of one's own that is over",
    responses=_CHANGE,
)
async def delete_report(
    scope: Asking, deployment_id: UUID, report_id: UUID, gateway: GatewayState
) -> Response:
    return await gateway.strategies.delete(_path(deployment_id, f"/{report_id}"), _own(scope))
