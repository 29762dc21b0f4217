from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from analytics_service.performance.actions import Analysis
from analytics_service.performance.report import Performance
from analytics_service.performance.schemas import EquityPoint, PerformanceAnswer
from shared.metrics.executions import Point
from shared.metrics.sharpe import BASIS
from shared.models.base import encode
from shared.models.identifiers import Mode, Timeframe
from shared.service.problems import not_found
from shared.trading.amounts import plain, to_cents

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def performance_routes(analysis: Analysis) -> APIRouter:
    router = APIRouter(prefix="/internal")

    @router.get("/performance")
    async def get_performance(
        account_id: UUID,
        mode: Mode = "paper",
        timeframe: Timeframe = "1m",
        max_points: Annotated[int, Query(ge=2, le=20_000)] = 2000,
    ) -> Response:
        found = await analysis.performance(account_id, mode, timeframe, max_points)
        if found is None:
            raise not_found("account")
        answer = _answer(account_id, mode, timeframe, found)
        return Response(encode(answer), media_type="application/json")

    return router


def _answer(
    account_id: UUID, mode: Mode, timeframe: Timeframe, found: Performance
) -> PerformanceAnswer:
    drawdown = found.drawdown
    return PerformanceAnswer(
        account_id=account_id,
        mode=mode,
        timeframe=timeframe,
        initial_capital=plain(found.capital),
        net_flows=plain(found.net_flows),
        income=plain(found.income),
        cash=plain(found.cash),
        equity=plain(found.equity),
        realized_pnl=plain(found.realized_pnl),
        unrealized_pnl=plain(found.unrealized_pnl),
        fees=plain(found.fees),
        currency_pnl=plain(found.currency_pnl),
        total_return_fraction=found.total_return_fraction,
        max_drawdown_fraction=None if drawdown is None else drawdown.fraction,
        max_drawdown=None if drawdown is None else _money(drawdown.amount),
        max_drawdown_duration_s=None if drawdown is None else drawdown.duration_s,
        sharpe=found.sharpe,
        sharpe_basis=BASIS,
        win_rate=found.win_rate,
        profit_factor=found.profit_factor,
        trades=found.trades,
        executions=found.executions,
        equity_curve=[_point(point) for point in found.curve],
        marked_at_execution=found.marked_at_execution,
    )


def _point(point: Point) -> EquityPoint:
    return EquityPoint(_EPOCH + timedelta(microseconds=point.at_us), _money(point.equity))


def _money(amount: Decimal) -> Decimal:
    """A measured value, to the cent."""
    return plain(to_cents(amount))
