"""Win rate: closed trades with a profit after fees, as a fraction of all closed trades.

https://www.investopedia.com/terms/w/win-loss-ratio.asp
"""

from collections.abc import Sequence

from shared.metrics.trades import Trade


def win_rate(trades: Sequence[Trade]) -> float | None:
    """From 0 to 1; a trade that ends at exactly nothing is not won. None without trades."""
    if not trades:
        return None
    return sum(trade.profit > 0 for trade in trades) / len(trades)
