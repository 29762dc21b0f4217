"""What trading costs on paper: slippage on the price, a fee on the notional.

Rounding, always against the trader where there is a choice: a slipped price goes to the next
tick (up for a buy, down for a sell, never below one tick); what a fill pays or brings is exact
to 12 decimals; the fee goes to 0.01, halves up.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from shared.models.orders import Side
from shared.trading.amounts import BASIS_POINTS, rounded_down, rounded_up, to_cents


class CostModel(msgspec.Struct, frozen=True):
    #: Of notional, per fill.
    fee_bps: Decimal
    #: Of price, against the trader.
    slippage_bps: Decimal

    def slipped(self, price: Decimal, side: Side, tick: Decimal) -> Decimal:
        """`price` worsened by the slippage, on the tick grid."""
        shift = price * self.slippage_bps / BASIS_POINTS
        if side == "buy":
            return to_tick(price + shift, tick, ROUND_CEILING)
        return max(to_tick(price - shift, tick, ROUND_FLOOR), tick)

    def fee(self, notional: Decimal) -> Decimal:
        return to_cents(notional * self.fee_bps / BASIS_POINTS)


def to_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).quantize(Decimal(1), rounding) * tick


def notional_of(qty: Decimal, price: Decimal, side: Side) -> Decimal:
    """What a buy pays or a sell brings, before the fee."""
    return rounded_up(qty * price) if side == "buy" else rounded_down(qty * price)
