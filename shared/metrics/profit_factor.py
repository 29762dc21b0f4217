"""Profit factor: sum of the winning trades' profits over the sum of the losing trades' losses.

https://www.investopedia.com/articles/fundamental-analysis/10/strategy-performance-reports.asp
"""

from collections.abc import Sequence

from shared.metrics.trades import Trade
from shared.trading.amounts import ZERO


def profit_factor(trades: Sequence[Trade]) -> float | None:
    """Above 1 for a profit. None as long as there is no loss to compare with."""
    won = sum((trade.profit for trade in trades if trade.profit > 0), ZERO)
    lost = -sum((trade.profit for trade in trades if trade.profit < 0), ZERO)
    return float(won / lost) if lost else None
