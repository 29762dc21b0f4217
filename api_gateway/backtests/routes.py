from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from api_gateway.backtests.schemas import (
    PAGE,
    BacktestComparison,
    BacktestDeployment,
    BacktestRequest,
    BacktestResult,
    BacktestView,
    Status,
)
from api_gateway.dependencies import Caller, GatewayState, Trader, tradable_account
from api_gateway.documentation import problems
from api_gateway.paging import Page
from api_gateway.strategies.routes import Place
from api_gateway.strategies.schemas import DeploymentView
from shared.auth import Principal

router = APIRouter(prefix="/backtests", tags=["backtests"])

_READ = problems(401, 404, 409, 422, 502, 503)
_CHANGE = problems(401, 403, 404, 409, 422, 502, 503)
_SUBMIT = problems(400, 401, 403, 404, 409, 413, 422, 502, 503)
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
Ids = Annotated[
    str,
    Query(
        pattern=rf"^{_UUID}(,{_UUID}){{1,9}}$",
        description="2 to 10 finished backtests, separated by commas.",
    ),
]
#: Charts are drawn by the page's own style; nothing may be loaded or run.
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline';"
    " frame-ancestors 'none'"
}


def _visible_to(caller: Principal) -> str | None:
    """Admins see everybody's."""
    return None if caller.role == "admin" else str(caller.user_id)


@router.post(
    "",
    status_code=201,
    response_model=BacktestView,
    operation_id="submitBacktest",
    summary="Run a strategy over past data",
    description="What can't be run is refused, and nothing is stored. It goes on by itself: ask "
    "for it again until its `status` is `done`, `failed` or `cancelled`.",
    responses={
        200: {"model": BacktestView, "description": "Asked for before, by its client_backtest_id"},
        **_SUBMIT,
    },
)
async def submit_backtest(caller: Trader, body: BacktestRequest, gateway: GatewayState) -> Response:
    asked = body.model_dump(mode="json", exclude={"paper_terms", "margin_terms"})
    terms, margin = body.paper_terms, body.margin_terms
    return await gateway.strategies.post(
        "/internal/backtests",
        {
            **asked,
            "owner_id": str(caller.user_id),
            "paper_terms": terms.model_dump(mode="json", exclude_none=True) if terms else {},
            "margin_terms": margin.model_dump(mode="json", exclude_none=True) if margin else None,
        },
    )


@router.get(
    "",
    response_model=Page[BacktestView],
    operation_id="listBacktests",
    summary="Backtests, the newest first",
    responses=problems(401, 422, 502, 503),
)
async def list_backtests(
    caller: Caller,
    gateway: GatewayState,
    place: Place,
    status: Status | None = None,
) -> Response:
    return await gateway.strategies.get(
        "/internal/backtests",
        {"owner_id": _visible_to(caller), "status": status, **place._asdict()},
    )


@router.get(
    "/comparison",
    response_model=BacktestComparison,
    operation_id="compareBacktests",
    summary="Finished backtests side by side",
    responses=_READ,
)
async def compare_backtests(caller: Caller, ids: Ids, gateway: GatewayState) -> Response:
    return await gateway.strategies.get(
        "/internal/backtests/comparison", {"owner_id": _visible_to(caller), "ids": ids}
    )


@router.get(
    "/comparison/report",
    response_class=HTMLResponse,
    operation_id="getBacktestComparisonReport",
    summary="Finished backtests side by side, as a page",
    responses={**_READ, **PAGE},
)
async def compare_as_page(caller: Caller, ids: Ids, gateway: GatewayState) -> Response:
    return _page(
        await gateway.strategies.get(
            "/internal/backtests/comparison/report", {"owner_id": _visible_to(caller), "ids": ids}
        )
    )


@router.get(
    "/{backtest_id}",
    response_model=BacktestView,
    operation_id="getBacktest",
    summary="One backtest: how far it is, what came out",
    responses=_READ,
)
async def get_backtest(caller: Caller, backtest_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.strategies.get(
        f"/internal/backtests/{backtest_id}", {"owner_id": _visible_to(caller)}
    )


@router.get(
    "/{backtest_id}/result",
    response_model=BacktestResult,
    operation_id="getBacktestResult",
    summary="Report, trades, executions and equity curve of a finished backtest",
    responses=_READ,
)
async def get_result(caller: Caller, backtest_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.strategies.get(
        f"/internal/backtests/{backtest_id}/result", {"owner_id": _visible_to(caller)}
    )


@router.get(
    "/{backtest_id}/report",
    response_class=HTMLResponse,
    operation_id="getBacktestReport",
    summary="A finished backtest as a page",
    responses={**_READ, **PAGE},
)
async def get_report(caller: Caller, backtest_id: UUID, gateway: GatewayState) -> Response:
    return _page(
        await gateway.strategies.get(
            f"/internal/backtests/{backtest_id}/report", {"owner_id": _visible_to(caller)}
        )
    )


@router.post(
    "/{backtest_id}/cancel",
    response_model=BacktestView,
    operation_id="cancelBacktest",
    summary="End a backtest; one that is over stays as it is",
    responses=_CHANGE,
)
async def cancel_backtest(caller: Trader, backtest_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.strategies.post(
        f"/internal/backtests/{backtest_id}/cancel", query={"owner_id": str(caller.user_id)}
    )


@router.post(
    "/{backtest_id}/repeat",
    status_code=201,
    response_model=BacktestView,
    operation_id="repeatBacktest",
    summary="Run it again, and see whether the same comes out",
    responses=_CHANGE,
)
async def repeat_backtest(caller: Trader, backtest_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.strategies.post(
        f"/internal/backtests/{backtest_id}/repeat", query={"owner_id": str(caller.user_id)}
    )


@router.post(
    "/{backtest_id}/deploy",
    status_code=201,
    response_model=DeploymentView,
    operation_id="deployBacktest",
    summary="Run what was tested on an account of yours",
    responses=_SUBMIT,
)
async def deploy_backtest(
    caller: Trader, backtest_id: UUID, body: BacktestDeployment, gateway: GatewayState
) -> Response:
    await tradable_account(body.account_id, caller, gateway)
    return await gateway.strategies.post(
        f"/internal/backtests/{backtest_id}/deploy",
        body.model_dump(mode="json"),
        query={"owner_id": str(caller.user_id)},
    )


@router.delete(
    "/{backtest_id}",
    status_code=204,
    operation_id="deleteBacktest",
    summary="Delete a backtest that is over",
    responses=_CHANGE,
)
async def delete_backtest(caller: Trader, backtest_id: UUID, gateway: GatewayState) -> Response:
    return await gateway.strategies.delete(
        f"/internal/backtests/{backtest_id}", {"owner_id": str(caller.user_id)}
    )


def _page(answer: Response) -> Response:
    answer.headers.update(_PAGE_HEADERS)
    return answer
