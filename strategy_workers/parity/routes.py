from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from strategy_workers.deployments.schemas import Page
from strategy_workers.paging import Cursor, Limit, time_cursor, time_place
from strategy_workers.parity.actions import ParityReports
from strategy_workers.parity.schemas import ParityReport, ParityRequest, ParityView

router = APIRouter(prefix="/internal/deployments/{deployment_id}/parity-reports")


def reports_of(request: Request) -> ParityReports:
    reports: ParityReports = request.app.state.parity_reports
    return reports


Actions = Annotated[ParityReports, Depends(reports_of)]


@router.post("", status_code=201)
def ask_for_report(
    deployment_id: UUID, account_id: UUID, body: ParityRequest, reports: Actions
) -> ParityView:
    return ParityView.of(reports.submit(account_id, deployment_id, body))


@router.get("")
def list_reports(
    deployment_id: UUID,
    account_id: UUID,
    reports: Actions,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ParityView]:
    """Newest first."""
    rows = reports.page(account_id, deployment_id, time_place(cursor), limit + 1)
    more, _ = rows[limit - 1] if len(rows) > limit else (None, None)
    return Page(
        items=[ParityView.listed(row, replay_id) for row, replay_id in rows[:limit]],
        next_cursor=time_cursor(more.created_at, more.id) if more else None,
    )


@router.get("/{report_id}")
def see_report(
    deployment_id: UUID, report_id: UUID, account_id: UUID, reports: Actions
) -> ParityReport:
    row, report = reports.find(account_id, deployment_id, report_id)
    return ParityReport(**ParityView.of(row).model_dump(), report=report)


@router.post("/{report_id}/cancel")
def cancel_report(
    deployment_id: UUID, report_id: UUID, account_id: UUID, owner_id: UUID, reports: Actions
) -> ParityView:
    return ParityView.of(reports.cancel(account_id, deployment_id, owner_id, report_id))


@router.delete("/{report_id}", status_code=204)
def delete_report(
    deployment_id: UUID, report_id: UUID, account_id: UUID, owner_id: UUID, reports: Actions
) -> None:
    reports.delete(account_id, deployment_id, owner_id, report_id)
