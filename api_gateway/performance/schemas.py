"""Shapes of the analytics service, as clients see them."""

from uuid import UUID

from api_gateway.values import Exact, UtcTime, View
from shared.models.identifiers import Mode, Timeframe


class EquityPoint(View):
    at: UtcTime
    equity: Exact


class PerformanceView(View):
    account_id: UUID
    mode: Mode
    timeframe: Timeframe
    #: Paid in before the first execution.
    initial_capital: Exact
    #: Paid in less taken out since: no profit, no loss.
    net_flows: Exact
    #: Interest, dividends and adjustments. `equity` is capital, flows, income, realised and
    #: unrealised profit, less fees, and `currency_pnl`. All is in the account's currency.
    income: Exact
    cash: Exact
    equity: Exact
    realized_pnl: Exact
    unrealized_pnl: Exact
    fees: Exact
    #: What rates of exchange, and their spread, have made of cash and positions in others.
    currency_pnl: Exact
    #: Fractions are of 1; None where there is nothing to measure yet.
    total_return_fraction: float | None
    max_drawdown_fraction: float | None
    max_drawdown: Exact | None
    max_drawdown_duration_s: float | None
    sharpe: float | None
    #: What the Sharpe ratio is made of: periods and annualisation.
    sharpe_basis: str
    win_rate: float | None
    profit_factor: float | None
    trades: int
    executions: int
    equity_curve: list[EquityPoint]
    #: Symbols without candles, which count at their last execution's price.
    marked_at_execution: list[str]
