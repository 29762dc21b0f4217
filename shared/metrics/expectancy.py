"""Expectancy: what a closed trade brought on average, after fees.

https://www.investopedia.com/articles/forex/07/profit_loss.asp
"""

from collections.abc import Sequence
from decimal import Decimal

from shared.metrics.trades import Trade
from shared.trading.amounts import ZERO, exactly, rounded


@exactly
def expectancy(trades: Sequence[Trade]) -> Decimal | None:
    """In money. None without trades."""
    if not trades:
        return None
    return rounded(sum((trade.profit for trade in trades), ZERO) / len(trades))
