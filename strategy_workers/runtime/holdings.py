"""What a deployment itself holds, of all that its account does. Pure.

The account's books know one position per symbol, whoever traded it. Here only the executions of
this deployment count; and when others have sold what it bought, its part shrinks with what is left.
"""

from decimal import Decimal

import msgspec

from shared.models.orders import Side
from shared.trading.amounts import ZERO, exactly, rounded


class Holding(msgspec.Struct, frozen=True):
    qty: Decimal
    avg_price: Decimal


NOTHING = Holding(ZERO, ZERO)


@exactly
def after_own(holding: Holding, side: Side, qty: Decimal, price: Decimal) -> Holding:
    """After an execution of this deployment. Sales leave the average price as it is."""
    if side == "sell":
        return Holding(holding.qty - qty, holding.avg_price)
    cost = holding.qty * holding.avg_price + qty * price
    return Holding(holding.qty + qty, rounded(cost / (holding.qty + qty)))


def left_of(holding: Holding, account_qty: Decimal) -> Holding:
    """No more than what the account holds after somebody's execution."""
    qty = min(holding.qty, account_qty)
    if qty <= 0:
        return NOTHING
    return holding if qty == holding.qty else Holding(qty, holding.avg_price)
