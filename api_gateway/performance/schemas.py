"""Shapes of the analytics service, as clients see them."""

from uuid import UUID

from api_gateway.values import Exact, UtcTime, View
from shared.models.identifiers import Mode


class EquityPoint(View):
    at: UtcTime
    equity: Exact


class PerformanceView(View):
    account_id: UUID
    mode: Mode
    initial_capital: Exact
    cash: Exact
    equity: Exact
    realized_pnl: Exact
    unrealized_pnl: Exact
    fees: Exact
    #: Fractions are of 1; None where there is nothing to measure yet.
    total_return_fraction: float | None
    max_drawdown_fraction: float | None
    max_drawdown: Exact | None
    max_drawdown_duration_s: float | None
    sharpe: float | None
    win_rate: float | None
    trades: int
    executions: int
    equity_curve: list[EquityPoint]
