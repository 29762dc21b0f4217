"""HTTP shapes. Encoded by msgspec: curves are long."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.identifiers import Mode, Timeframe


class EquityPoint(msgspec.Struct, frozen=True):
    at: datetime
    equity: Decimal


class PerformanceAnswer(msgspec.Struct, frozen=True):
    """Money as decimal strings; fractions are of one; null where there is nothing to measure."""

    account_id: UUID
    mode: Mode
    timeframe: Timeframe
    #: Paid in before the first execution.
    initial_capital: Decimal
    #: Paid in less taken out since: no profit, no loss.
    net_flows: Decimal
    #: Interest, dividends and adjustments.
    income: Decimal
    cash: Decimal
    equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    #: What rates of exchange have made of cash and positions in other currencies.
    currency_pnl: Decimal
    total_return_fraction: float | None
    max_drawdown_fraction: float | None
    max_drawdown: Decimal | None
    max_drawdown_duration_s: float | None
    sharpe: float | None
    sharpe_basis: str
    win_rate: float | None
    profit_factor: float | None
    trades: int
    executions: int
    equity_curve: list[EquityPoint]
    marked_at_execution: list[str]
