"""How prices and amounts of fills are rounded.

Against the trader where there is a choice: a slipped price goes to the next tick (up for a buy,
down for a sell, never below one tick); what a fill pays or brings is exact to 12 decimals; fees
go to 0.01, halves up.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from shared.models.orders import Side
from shared.trading.amounts import rounded_down, rounded_up


def worsened(price: Decimal, shift: Decimal, side: Side, tick: Decimal) -> Decimal:
    """`price` moved by `shift` against the trader, on the tick grid."""
    if side == "buy":
        return to_tick(price + shift, tick, ROUND_CEILING)
    return max(to_tick(price - shift, tick, ROUND_FLOOR), tick)


def to_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).quantize(Decimal(1), rounding) * tick


def flow_of(side: Side, value: Decimal) -> Decimal:
    """Cash that comes (a buy's goes: it is below zero) when what is worth `value` is traded."""
    return -rounded_up(value) if side == "buy" else rounded_down(value)


def notional_of(qty: Decimal, price: Decimal, side: Side) -> Decimal:
    """What a buy pays or a sell brings, before the fee."""
    return rounded_up(qty * price) if side == "buy" else rounded_down(qty * price)
