"""What splits and dividends do to working orders, before the first print of the ex-date.

As exchanges adjust open orders: a split multiplies quantities and divides prices, a dividend lowers
what lies below the market, which are buys with a limit and sells with a stop. Prices are rounded
to the tick in favour of the order's owner.
"""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import msgspec

from shared.models.orders import Order
from shared.trading.amounts import ZERO
from shared.trading.changes import OrderChanged, WorkingOrder
from shared.trading.corporate_actions import (
    CorporateAction,
    Dividend,
    Split,
    price_after,
    whole_units,
)
from shared.trading.costs import to_tick
from shared.trading.groups import Groups
from shared.trading.lifecycle import step
from shared.trading.matching import awaits_trigger, with_mark
from shared.trading.requests import Requests
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused
from shared.trading.working import WorkingOrders

_CANCELLED = Refused("corporate_action", "A split or dividend leaves nothing of the order.")
_PART_FILLED = Refused("corporate_action", "It had filled in part before a split.")


class OrderAdjustments:
    def __init__(
        self, orders: WorkingOrders, groups: Groups, requests: Requests, settlement: Settlement
    ) -> None:
        self._orders = orders
        self._groups = groups
        self._requests = requests
        self._settlement = settlement

    def concerned(self, action: CorporateAction) -> list[WorkingOrder]:
        """Orders that had come before it."""
        return [
            each
            for each in self._orders.working_in(action.symbol)
            if each.order.submitted_at < action.effective_at
        ]

    def adjust(self, action: CorporateAction) -> list[OrderChanged]:
        """The position has been split already."""
        changes: list[OrderChanged] = []
        at, terms = action.effective_at, action.terms
        for each in self.concerned(action):
            # What was on its way to the market was asked for in the session before.
            if each.order.due_at is not None and each.order.id in self._orders.by_id:
                changes += self._requests.carry_out(each, at)
        if isinstance(terms, Split):
            # Executions are in old shares: an order can't be for both.
            for each in self.concerned(action):
                if each.order.filled_qty and each.order.id in self._orders.by_id:
                    changes += self._groups.cancel(each, at, _PART_FILLED)
        for each in self.concerned(action):
            if each.order.id not in self._orders.by_id:
                continue  # gone with another of its group
            if isinstance(terms, Split):
                adjusted = split_order(each, terms, action)
            else:
                adjusted = reduced_order(each.order, terms, action.tick)
            if adjusted is None:
                changes += self._groups.cancel(each, at, _CANCELLED)
            elif adjusted is not each.order:
                changes.append(self._change(each, adjusted, action, at))
        if changes:
            self._orders.wait_again(action.symbol)
        return changes

    def _change(
        self, working: WorkingOrder, order: Order, action: CorporateAction, at: datetime
    ) -> OrderChanged:
        withheld = working.withheld
        if isinstance(action.terms, Split):
            withheld = whole_units(Fraction(withheld) * action.terms.ratio, working.lot)
        # Where it stands among others has to be seen anew.
        order = msgspec.structs.replace(order, queue_ahead=None)
        self._orders.refit(working, order, withheld)
        taken = step(working, "resize", at)
        return OrderChanged(working.order, (taken,), self._settlement.cash)


def split_order(working: WorkingOrder, split: Split, action: CorporateAction) -> Order | None:
    """None when it would be for less than a lot."""
    order, tick = working.order, action.tick
    qty = whole_units(Fraction(order.qty) * split.ratio, working.lot)
    if not qty:
        return None
    limit, stop, trail = order.limit_price, order.stop_price, order.trail_price
    buys = order.side == "buy"
    adjusted = msgspec.structs.replace(
        order,
        qty=qty,
        limit_price=None if limit is None else _divided(limit, split, tick, up=not buys),
        stop_price=None if stop is None else _divided(stop, split, tick, up=buys),
        trail_price=None if trail is None else _divided(trail, split, tick, up=True),
    )
    if order.hwm is not None:
        adjusted = with_mark(adjusted, price_after(order.hwm, split), tick)
    return adjusted


def _divided(price: Decimal, split: Split, tick: Decimal, *, up: bool) -> Decimal:
    exact = price_after(price, split)
    return max(to_tick(exact, tick, ROUND_CEILING if up else ROUND_FLOOR), tick)


def reduced_order(order: Order, dividend: Dividend, tick: Decimal) -> Order | None:
    """The same order when it isn't reduced; None when nothing would be left of its price."""
    less = to_tick(dividend.amount, tick, ROUND_CEILING)
    if order.side == "buy":
        if order.type != "limit" or order.limit_price is None:
            return order
        return _lowered(order, less, limit=True, stop=False)
    if not awaits_trigger(order):
        return order
    if order.type == "trailing_stop":
        if order.hwm is None:
            return order
        return with_mark(order, order.hwm - less, tick) if order.hwm > less else None
    return _lowered(order, less, limit=order.limit_price is not None, stop=True)


def _lowered(order: Order, less: Decimal, *, limit: bool, stop: bool) -> Order | None:
    limit_price, stop_price = order.limit_price, order.stop_price
    if limit:
        assert limit_price is not None, "it has a limit"
        limit_price -= less
    if stop:
        assert stop_price is not None, "it has a stop"
        stop_price -= less
    if min(price for price in (limit_price, stop_price) if price is not None) <= ZERO:
        return None
    return msgspec.structs.replace(order, limit_price=limit_price, stop_price=stop_price)
