from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from shared.service.problems import Problem
from strategy_workers.deployments.schemas import DeploymentView, Page
from strategy_workers.jobs.actions import Backtest, Backtests
from strategy_workers.jobs.schemas import (
    MOST_COMPARED,
    BacktestRequest,
    BacktestView,
    ComparedFigure,
    Comparison,
    DeployRequest,
)
from strategy_workers.paging import Cursor, Limit, time_cursor, time_place

router = APIRouter(prefix="/internal/backtests")

#: Left out by those who may see everybody's.
Owner = Annotated[UUID | None, Query()]
Ids = Annotated[str, Query(max_length=40 * MOST_COMPARED, description="Separated by commas.")]
Status = Annotated[Literal["waiting", "running", "done", "failed", "cancelled"] | None, Query()]


def backtests_of(request: Request) -> Backtests:
    backtests: Backtests = request.app.state.backtests
    return backtests


Actions = Annotated[Backtests, Depends(backtests_of)]


def _view(found: Backtest) -> BacktestView:
    return BacktestView.of(found.row, found.original)


@router.post("", status_code=201)
async def submit(body: BacktestRequest, backtests: Actions, response: Response) -> BacktestView:
    found = await backtests.submit(body)
    if not found.is_new:
        response.status_code = 200
    return _view(found)


@router.get("")
def list_backtests(
    backtests: Actions,
    owner_id: Owner = None,
    status: Status = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[BacktestView]:
    """Newest first."""
    found = backtests.page(owner_id, status, time_place(cursor), limit + 1)
    more = found[limit - 1].row if len(found) > limit else None
    return Page(
        items=[_view(one) for one in found[:limit]],
        next_cursor=time_cursor(more.created_at, more.id) if more else None,
    )


@router.get("/comparison")
def compare(backtests: Actions, ids: Ids, owner_id: Owner = None) -> Comparison:
    from strategy_workers.reports.backtest_page import differences, side_by_side

    found = backtests.finished(owner_id, _ids(ids))
    summaries = [one.row.summary or {} for one in found]
    return Comparison(
        items=[_view(one) for one in found],
        figures=_figures(side_by_side(summaries)),
        differences=_figures(differences(summaries)),
    )


@router.get("/comparison/report")
def compare_as_page(backtests: Actions, ids: Ids, owner_id: Owner = None) -> Response:
    from strategy_workers.reports.backtest_page import comparison_page

    results = backtests.results(owner_id, _ids(ids))
    return HTMLResponse(comparison_page(f"{len(results)} backtests side by side", results))


@router.get("/{backtest_id}")
def see(backtest_id: UUID, backtests: Actions, owner_id: Owner = None) -> BacktestView:
    return _view(backtests.find(owner_id, backtest_id))


@router.get("/{backtest_id}/result")
def see_result(backtest_id: UUID, backtests: Actions, owner_id: Owner = None) -> Response:
    return JSONResponse(backtests.result(owner_id, backtest_id))


@router.get("/{backtest_id}/report")
def see_page(backtest_id: UUID, backtests: Actions, owner_id: Owner = None) -> Response:
    from strategy_workers.reports.backtest_page import backtest_page

    result = backtests.result(owner_id, backtest_id)
    settings = result["settings"]
    title = f"{settings['strategy']} on {', '.join(settings['symbols'])}, {settings['timeframe']}"
    return HTMLResponse(backtest_page(title, result))


@router.post("/{backtest_id}/cancel")
def cancel(backtest_id: UUID, owner_id: UUID, backtests: Actions) -> BacktestView:
    return _view(backtests.cancel(owner_id, backtest_id))


@router.post("/{backtest_id}/repeat", status_code=201)
def repeat(backtest_id: UUID, owner_id: UUID, backtests: Actions) -> BacktestView:
    return _view(backtests.repeat(owner_id, backtest_id))


@router.post("/{backtest_id}/deploy", status_code=201)
def deploy(
    backtest_id: UUID, owner_id: UUID, body: DeployRequest, backtests: Actions
) -> DeploymentView:
    from strategy_workers.backtests.versions import code_version

    row = backtests.deploy(owner_id, backtest_id, body.account_id, body.mode, code_version())
    return DeploymentView.of(row)


@router.delete("/{backtest_id}", status_code=204)
def delete(backtest_id: UUID, owner_id: UUID, backtests: Actions) -> None:
    backtests.delete(owner_id, backtest_id)


def _figures(rows: list[tuple[str, ...]]) -> list[ComparedFigure]:
    return [ComparedFigure(name=name, values=list(values)) for name, *values in rows]


def _ids(text: str) -> list[UUID]:
    try:
        ids = [UUID(one) for one in text.split(",")]
    except ValueError:
        raise Problem(422, "invalid_request", "ids: must be ids separated by commas") from None
    if not 2 <= len(set(ids)) == len(ids) <= MOST_COMPARED:
        raise Problem(
            422, "invalid_request", f"ids: must be 2 to {MOST_COMPARED} backtests, each once"
        )
    return ids
