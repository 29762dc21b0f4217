"""Pre-trade checks, in the order in which they are made. The first that objects decides.

`fault_of` looks at the command itself: what it finds is refused, and nothing is stored.

 1. account_closed           the account takes no orders any more
 2. invalid_client_order_id  1 to 128 printable ASCII characters
 3. unknown_symbol           the catalogue has no such instrument
 4. symbol_not_tradable      the instrument is not traded (any more)
 5. currency_mismatch        the instrument is quoted in another currency than the account's
 6. invalid_qty              finite and above zero
 7. qty_too_large            at most `Limits.max_qty`
 8. qty_not_in_lots          a multiple of the lot size
 9. limit_price_missing, limit_price_not_allowed   exactly limit orders carry one
10. invalid_limit_price      finite and above zero
11. limit_price_too_large    at most `Limits.max_price`
12. limit_price_not_on_tick  a multiple of the tick size
13. notional_too_large       a limit order's notional is at most `Limits.max_notional`
14. time_in_force_not_available   a DAY order needs a session that ends

`obstacle_to` looks at the books: what it finds is stored as a rejected order.

15. no_market_price          a market order needs a last price
16. notional_too_large       a market order's notional, at the last price
17. insufficient_buying_power   a buy: reserve at most cash net of working buys
18. insufficient_position    a sell: at most the position net of working sells
"""

import re
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.identifiers import Symbol
from shared.models.orders import SubmitOrder
from shared.trading.amounts import BASIS_POINTS, ZERO, rounded_up, shown
from shared.trading.costs import CostModel, notional_of

_CLIENT_ORDER_ID = re.compile(r"[\x20-\x7e]{1,128}")


class Refused(msgspec.Struct, frozen=True):
    """Why not: a stable code, a sentence, and where there are such the limit and what it saw."""

    code: str
    message: str
    limit: str | None = None
    observed: str | None = None


class AccountTerms(msgspec.Struct, frozen=True):
    id: UUID
    status: str
    base_currency: str
    paper_capital: Decimal
    costs: CostModel


class Instrument(msgspec.Struct, frozen=True):
    symbol: Symbol
    #: MIC, or `24/7`.
    exchange: str
    currency: str
    tick_size: Decimal
    lot_size: Decimal
    tradable: bool


class Limits(msgspec.Struct, frozen=True):
    """Bounds beyond which a number is a mistake, and the buffer for market buys."""

    max_qty: Decimal = Decimal(1_000_000_000)
    max_price: Decimal = Decimal(1_000_000_000)
    max_notional: Decimal = Decimal(1_000_000_000_000)
    #: A market buy reserves the last price plus this, because the next print is not known yet.
    reserve_buffer_bps: Decimal = Decimal(100)


def fault_of(
    order: SubmitOrder,
    account: AccountTerms,
    instrument: Instrument | None,
    limits: Limits,
    session_close: datetime | None,
) -> Refused | None:
    """What is wrong with the command itself. `session_close` is where a DAY order would end."""
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
        _instrument_fault(instrument, account)
        or _qty_fault(order.qty, instrument, limits)
        or _limit_price_fault(order, instrument, limits)
        or _time_in_force_fault(order, instrument, session_close)
    )


def _instrument_fault(instrument: Instrument, account: AccountTerms) -> Refused | None:
    if not instrument.tradable:
        return Refused("symbol_not_tradable", f"{instrument.symbol} is not tradable.")
    if instrument.currency != account.base_currency:
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


def _limit_price_fault(
    order: SubmitOrder, instrument: Instrument, limits: Limits
) -> Refused | None:
    price = order.limit_price
    if order.order_type == "market":
        if price is None:
            return None
        return Refused("limit_price_not_allowed", "A market order has no limit price.")
    if price is None:
        return Refused("limit_price_missing", "A limit order needs a limit price.")
    if not price.is_finite() or price <= 0:
        return Refused(
            "invalid_limit_price",
            "The limit price must be above zero.",
            limit="0",
            observed=shown(price),
        )
    if price > limits.max_price:
        return Refused(
            "limit_price_too_large",
            f"The limit price must be at most {limits.max_price}.",
            limit=str(limits.max_price),
            observed=shown(price),
        )
    if price % instrument.tick_size != 0:
        tick = shown(instrument.tick_size)
        return Refused(
            "limit_price_not_on_tick",
            f"The limit price must be a multiple of the tick size {tick}.",
            limit=tick,
            observed=shown(price),
        )
    return _notional_fault(order.qty, price, limits)


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


def _time_in_force_fault(
    order: SubmitOrder, instrument: Instrument, session_close: datetime | None
) -> Refused | None:
    if order.time_in_force == "gtc" or session_close is not None:
        return None
    return Refused(
        "time_in_force_not_available",
        f"It is not known when the session of {instrument.exchange} ends: "
        "send the order as good till cancelled.",
        limit="gtc",
        observed=order.time_in_force,
    )


def obstacle_to(
    order: SubmitOrder,
    *,
    last_price: Decimal | None,
    reserve: Decimal,
    free_cash: Decimal,
    free_qty: Decimal,
    limits: Limits,
) -> Refused | None:
    """What the state of the books forbids. `reserve` is what `reserve_for` says."""
    if order.order_type == "market":
        if last_price is None:
            return Refused("no_market_price", f"{order.symbol} has not traded yet.")
        too_large = _notional_fault(order.qty, last_price, limits)
        if too_large is not None:
            return too_large
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
    costs: CostModel,
    tick: Decimal,
    last_price: Decimal | None,
    limits: Limits,
) -> Decimal:
    """Cash that a buy keeps from others while it works: its most likely cost at worst, with fee.

    A limit buy can't cost more than its limit. A market buy may: it reserves the last price plus
    the buffer, slipped. Zero for a sell, and for a market buy without a price.
    """
    if order.side == "sell":
        return ZERO
    if order.limit_price is not None:
        price = order.limit_price
    elif last_price is not None:
        buffered = last_price * (1 + limits.reserve_buffer_bps / BASIS_POINTS)
        price = costs.slipped(buffered, "buy", tick)
    else:
        return ZERO
    notional = notional_of(order.qty, price, "buy")
    return rounded_up(notional + costs.fee(notional))
