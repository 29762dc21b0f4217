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
    """After an execution of this deployment. What reduces leaves the average price as it is; what
    is left beyond zero was opened at the execution's."""
    traded = qty if side == "buy" else -qty
    after = holding.qty + traded
    if holding.qty and (holding.qty > 0) != (traded > 0):
        beyond = after and (after > 0) == (traded > 0)
        return Holding(after, price if beyond else holding.avg_price)
    cost = holding.qty * holding.avg_price + traded * price
    return Holding(after, rounded(cost / after))


def left_of(holding: Holding, account_qty: Decimal) -> Holding:
    """No more than what the account holds, long or short, after somebody's execution."""
    if holding.qty > 0:
        qty = max(min(holding.qty, account_qty), ZERO)
    else:
        qty = min(max(holding.qty, account_qty), ZERO)
    if not qty:
        return NOTHING
    return holding if qty == holding.qty else Holding(qty, holding.avg_price)
