"""Orders for an amount of money: how many lots that is.

The lot size says what is fractional: of an instrument with a lot of 0.001, thousandths are bought.
An order begins with the quantity at the last price, and what it really is, the price of its first
fill decides. It never costs or brings more than the amount, before fees.
"""

from decimal import Decimal

import msgspec

from shared.models.orders import SubmitOrder
from shared.trading.amounts import CENT, ZERO, shown
from shared.trading.terms import Instrument, Limits, Refused

BELOW_LOT = Refused("notional_below_lot", "The amount is less than one lot costs.")


def lots_for(notional: Decimal, price: Decimal, lot: Decimal) -> Decimal:
    """The largest quantity in whole lots that is worth at most `notional` at `price`."""
    return notional / price // lot * lot


def sized(
    order: SubmitOrder,
    instrument: Instrument | None,
    last_price: Decimal | None,
    limits: Limits,
) -> SubmitOrder | Refused:
    """The order with its quantity at the last price."""
    notional = order.notional
    assert notional is not None, "it is for an amount"
    if order.qty:
        return Refused("qty_ambiguous", "Say a quantity or a notional, not both.")
    if order.order_type != "market" or order.order_class != "simple":
        return Refused(
            "notional_not_allowed", "Only simple market orders are for an amount of money."
        )
    if not notional.is_finite() or notional <= 0:
        return Refused("invalid_notional", "The notional must be above zero.", "0", shown(notional))
    if notional > limits.max_notional:
        return Refused(
            "notional_too_large",
            f"The order's value must be at most {limits.max_notional}.",
            limit=str(limits.max_notional),
            observed=shown(notional),
        )
    if notional % CENT != 0:
        return Refused(
            "notional_not_in_cents",
            f"The notional must be a multiple of {CENT}.",
            limit=str(CENT),
            observed=shown(notional),
        )
    if instrument is None:
        return Refused("unknown_symbol", f"There is no instrument {order.symbol!r}.")
    if last_price is None:
        return Refused("no_market_price", f"{order.symbol} has not traded yet.")
    qty = lots_for(notional, last_price, instrument.lot_size)
    if qty == ZERO:
        return msgspec.structs.replace(
            BELOW_LOT, limit=shown(instrument.lot_size * last_price), observed=shown(notional)
        )
    return msgspec.structs.replace(order, qty=qty)
