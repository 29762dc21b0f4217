"""Positions: quantity, what it cost, and what was realised.

The cost of the open quantity is kept whole and the average price is derived from it, so that
cash = deposits + realised profit - cost of what is open - fees holds to the last digit, however
the averages round. Quantity and cost are signed: a short position has both below zero.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import Symbol
from shared.trading.amounts import ZERO, rounded


class Holding(msgspec.Struct, frozen=True):
    """The net position in one symbol of one account and mode."""

    symbol: Symbol
    qty: Decimal = ZERO
    #: What the open quantity cost; negative when it brought cash (short).
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    updated_at: datetime | None = None

    @property
    def avg_price(self) -> Decimal:
        """Average entry price; zero when flat."""
        return rounded(self.cost / self.qty) if self.qty else ZERO

    def value(self, price: Decimal) -> Decimal:
        return rounded(self.qty * price)


def after_fill(
    holding: Holding, traded: Decimal, cash_flow: Decimal, fee: Decimal, at: datetime
) -> tuple[Holding, Decimal]:
    """The position after a fill, and the profit that the fill realised (fee not included).

    `traded` is signed (a sell is negative), and so is `cash_flow` (a buy pays: negative). A fill
    through zero closes what is open and opens the rest on the other side.
    """
    if holding.qty * traded < 0:
        closing = min(abs(traded), abs(holding.qty))
        flow_of_closing = rounded(cash_flow * closing / abs(traded))
        cost_removed = rounded(holding.cost * closing / abs(holding.qty))
    else:
        flow_of_closing = cost_removed = ZERO
    realized = flow_of_closing - cost_removed
    after = Holding(
        holding.symbol,
        holding.qty + traded,
        holding.cost - cost_removed - (cash_flow - flow_of_closing),
        holding.realized_pnl + realized,
        holding.fees + fee,
        at,
    )
    return after, realized
