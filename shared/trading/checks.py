"""Pre-trade checks, in the order in which they are made. The first that objects decides.

`fault_of` looks at the command itself: what it finds is refused, and nothing is stored.

 1. account_closed           the account takes no orders any more
 2. invalid_client_order_id  1 to 128 printable ASCII characters
 3. unknown_symbol           the catalogue has no such instrument
 4. symbol_not_tradable      the instrument is not traded (any more)
 5. currency_mismatch        a live order's instrument is quoted in another currency than the
    account's
 6. invalid_qty              finite and above zero
 7. qty_too_large            at most `Limits.max_qty`
 8. qty_not_in_lots          a multiple of the lot size
 9. limit_price_missing, limit_price_not_allowed   exactly limit and stop-limit orders carry one
10. invalid_limit_price      finite and above zero
11. limit_price_too_large    at most `Limits.max_price`
12. limit_price_not_on_tick  a multiple of the tick size
13. the same four of stop_price, which exactly stop and stop-limit orders carry
14. trail_missing, trail_ambiguous, trail_not_allowed   a trailing stop has a price or a percent
15. the last three of trail_price; invalid_trail_percent (above 0, below 100),
    trail_percent_not_in_steps (of 0.01)
16. notional_too_large       the notional at the limit, else the stop, is at most
                             `Limits.max_notional`
17. time_in_force_not_allowed     IOC, FOK, OPG and CLS are for market and limit orders
18. expires_at_missing, expires_at_not_allowed   exactly GTD orders carry one
19. invalid_expires_at       a whole second with its UTC offset
20. time_in_force_not_available   a DAY order needs a session that ends, a GTD order a market time,
    OPG and CLS a market that opens and closes
21. expires_at_passed        a GTD order must end after now
    extended_hours_not_allowed   only simple limit orders ask for extended hours themselves
    auction_closed           OPG and CLS orders come some minutes before their auction

Before these, of an order of another class than simple (`shared/trading/classes.py`), and then
each of its parts by the list above, the message naming the part:

    legs_not_allowed, legs_missing, legs_ambiguous, take_profit_missing, stop_loss_missing
    order_type_not_allowed, limit_price_not_allowed   an OCO is a limit order, limited by its exit
    exit_on_wrong_side      a take profit lies beyond the entry, a stop loss behind it

`obstacle_to` looks at the books: what it finds is stored as a rejected order.

22. no_market_price          a market order and a trailing stop need a last price
23. notional_too_large       their notional, at the last price
24. insufficient_buying_power   a buy: reserve at most cash net of working buys
    fx_rate_missing, fx_rate_stale   before that, where it takes another currency
    (`shared/trading/funds.py`)
25. insufficient_position    a sell: at most the position net of working sells

The last two are of cash accounts; those of margin accounts are in `shared/trading/margin.py`.
"""

import re
from datetime import datetime
from decimal import Decimal

from shared.models.orders import SubmitOrder
from shared.trading.amounts import BASIS_POINTS, ZERO, rounded_up, shown
from shared.trading.commissions import expected_fee
from shared.trading.costs import notional_of
from shared.trading.hours import Hours
from shared.trading.matching import trailed_stop
from shared.trading.paper_terms import PaperTerms
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused
from shared.trading.tickets import price_fault, time_in_force_fault

#: They fill at, or trail from, a price that only the market knows.
_PRICED_BY_MARKET = frozenset({"market", "trailing_stop"})
_CLIENT_ORDER_ID = re.compile(r"[\x20-\x7e]{1,128}")


def fault_of(
    order: SubmitOrder,
    account: AccountTerms,
    instrument: Instrument | None,
    limits: Limits,
    hours: Hours | None,
    market_time: datetime | None,
) -> Refused | None:
    """What is wrong with the command itself.

    `hours` are the exchange's as they are now, if known; `market_time` None while it isn't known.
    """
    if account.status != "active":
        return Refused("account_closed", "The account is closed.", observed=account.status)
    if not _CLIENT_ORDER_ID.fullmatch(order.client_order_id):
        return Refused(
            "invalid_client_order_id",
            "A client order id has 1 to 128 printable ASCII characters.",
            limit="128",
            observed=str(len(order.client_order_id)),
        )
    if instrument is None:
        return Refused("unknown_symbol", f"There is no instrument {order.symbol!r}.")
    return (
        _instrument_fault(order, instrument, account)
        or _qty_fault(order.qty, instrument, limits)
        or price_fault(order, instrument, limits)
        or _notional_fault(order.qty, order.limit_price or order.stop_price or ZERO, limits)
        or time_in_force_fault(order, instrument, hours, market_time)
    )


def _instrument_fault(
    order: SubmitOrder, instrument: Instrument, account: AccountTerms
) -> Refused | None:
    if not instrument.tradable:
        return Refused("symbol_not_tradable", f"{instrument.symbol} is not tradable.")
    if instrument.currency != account.base_currency and order.mode == "live":
        return Refused(
            "currency_mismatch",
            f"{instrument.symbol} is quoted in {instrument.currency}; "
            f"the account holds {account.base_currency}.",
            limit=account.base_currency,
            observed=instrument.currency,
        )
    return None


def _qty_fault(qty: Decimal, instrument: Instrument, limits: Limits) -> Refused | None:
    if not qty.is_finite() or qty <= 0:
        return Refused(
            "invalid_qty", "The quantity must be above zero.", limit="0", observed=shown(qty)
        )
    if qty > limits.max_qty:
        return Refused(
            "qty_too_large",
            f"The quantity must be at most {limits.max_qty}.",
            limit=str(limits.max_qty),
            observed=shown(qty),
        )
    if qty % instrument.lot_size != 0:
        lot = shown(instrument.lot_size)
        return Refused(
            "qty_not_in_lots",
            f"The quantity must be a multiple of the lot size {lot}.",
            limit=lot,
            observed=shown(qty),
        )
    return None


def _notional_fault(qty: Decimal, price: Decimal, limits: Limits) -> Refused | None:
    notional = qty * price
    if notional <= limits.max_notional:
        return None
    return Refused(
        "notional_too_large",
        f"The order's value must be at most {limits.max_notional}.",
        limit=str(limits.max_notional),
        observed=shown(notional),
    )


def market_obstacle_to(
    order: SubmitOrder, last_price: Decimal | None, limits: Limits
) -> Refused | None:
    """What the last price forbids, or that there is none."""
    if order.order_type not in _PRICED_BY_MARKET:
        return None
    if last_price is None:
        return Refused("no_market_price", f"{order.symbol} has not traded yet.")
    return _notional_fault(order.qty, last_price, limits)


def cash_obstacle_to(
    order: SubmitOrder, *, reserve: Decimal, free_cash: Decimal, free_qty: Decimal
) -> Refused | None:
    """What the books of a cash account forbid. `reserve` is what `reserve_for` says."""
    if order.side == "buy" and reserve > free_cash:
        return Refused(
            "insufficient_buying_power",
            "The order costs more than the cash that working orders leave free.",
            limit=shown(free_cash),
            observed=shown(reserve),
        )
    if order.side == "sell" and order.qty > free_qty:
        return Refused(
            "insufficient_position",
            "The order sells more than the position that working orders leave free.",
            limit=shown(free_qty),
            observed=shown(order.qty),
        )
    return None


def reserve_for(
    order: SubmitOrder,
    terms: PaperTerms,
    tick: Decimal,
    last_price: Decimal | None,
    limits: Limits,
    month_value: Decimal = ZERO,
) -> Decimal:
    """Cash that a buy keeps from others while it works: its most likely cost at worst, with fee.

    A limit can't cost more than its limit. What fills at the market may cost more than any
    price known now: it reserves a price plus the buffer, slipped. That is the last price for a
    market order; for a stop, its stop, or the last price when that is beyond it already; for a
    trailing stop, the stop that it begins with, which can only fall. Zero for a sell, and for
    an order at the market without a price.
    """
    if order.side == "sell":
        return ZERO
    if order.limit_price is not None:
        price = order.limit_price
    else:
        expected = _expected_price(order, tick, last_price)
        if expected is None:
            return ZERO
        buffered = expected * (1 + limits.reserve_buffer_bps / BASIS_POINTS)
        price = terms.slipped(buffered, "buy", tick, order.qty)
    notional = notional_of(order.qty, price, "buy")
    return rounded_up(notional + expected_fee(terms.commission, order.qty, notional, month_value))


def _expected_price(
    order: SubmitOrder, tick: Decimal, last_price: Decimal | None
) -> Decimal | None:
    if order.stop_price is not None:
        return max(order.stop_price, last_price or ZERO)
    if last_price is not None and order.order_type == "trailing_stop":
        return trailed_stop(order.side, last_price, order.trail_price, order.trail_percent, tick)
    return last_price
