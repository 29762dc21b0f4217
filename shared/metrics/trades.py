"""Round trips: all executions from a flat position in a symbol to the next flat one.

https://www.investopedia.com/terms/r/round-trip-trades.asp
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from shared.metrics.executions import Fill, SplitMove
from shared.trading.amounts import exactly, rounded


class Trade(NamedTuple):
    symbol: str
    opened_at_us: int
    closed_at_us: int
    #: Realised profit less all fees of the trade.
    profit: Decimal


class _Open(NamedTuple):
    qty: Decimal
    opened_at_us: int
    profit: Decimal


@exactly
def round_trips(fills: Sequence[Fill | SplitMove]) -> list[Trade]:
    """Closed trades in the order of their closing. What is still open counts for nothing.

    A fill through zero closes one trade and opens the next; its fee is shared by quantity.
    """
    trades: list[Trade] = []
    positions: dict[str, _Open] = {}
    for fill in fills:
        before = positions.get(fill.symbol)
        if isinstance(fill, SplitMove):
            if before is not None:
                _split(before, fill, positions, trades)
            continue
        if before is None:
            positions[fill.symbol] = _Open(fill.qty, fill.at_us, fill.realized_pnl - fill.fee)
            continue
        qty = before.qty + fill.qty
        if qty and (qty > 0) == (before.qty > 0):
            profit = before.profit + fill.realized_pnl - fill.fee
            positions[fill.symbol] = _Open(qty, before.opened_at_us, profit)
            continue
        closing_fee = rounded(fill.fee * abs(before.qty) / abs(fill.qty)) if qty else fill.fee
        profit = before.profit + fill.realized_pnl - closing_fee
        trades.append(Trade(fill.symbol, before.opened_at_us, fill.at_us, profit))
        if qty:
            positions[fill.symbol] = _Open(qty, fill.at_us, closing_fee - fill.fee)
        else:
            del positions[fill.symbol]
    return trades


def _split(
    before: _Open, split: SplitMove, positions: dict[str, _Open], trades: list[Trade]
) -> None:
    """The trade goes on in new shares; it ends where less than one is left."""
    profit = before.profit + split.realized_pnl
    if split.qty:
        positions[split.symbol] = _Open(split.qty, before.opened_at_us, profit)
        return
    trades.append(Trade(split.symbol, before.opened_at_us, split.at_us, profit))
    del positions[split.symbol]
