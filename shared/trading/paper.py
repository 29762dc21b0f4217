"""The paper market of one set of books: what prints, quotes and time do to its working orders."""

from collections.abc import Callable, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from shared.models.identifiers import OrderId, Symbol
from shared.models.orders import Order, Side
from shared.trading.amounts import ZERO, rounded, to_cents
from shared.trading.changes import Change, OrderChanged, OrderFilled, OrderMoved, WorkingOrder
from shared.trading.commissions import Part, Turnover
from shared.trading.costs import flow_of
from shared.trading.groups import Groups
from shared.trading.hours import AUCTIONS
from shared.trading.lifecycle import Lifecycle, step
from shared.trading.margin import Margin
from shared.trading.matching import (
    awaits_trigger,
    fill_price,
    reached,
    trailed,
    triggers,
    with_mark,
)
from shared.trading.notional import BELOW_LOT, lots_for
from shared.trading.orders import WORKING, Transition
from shared.trading.queueing import place_of
from shared.trading.quotes import Touch
from shared.trading.requests import Requests
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused
from shared.trading.tickets import ONE_PRINT
from shared.trading.working import WorkingOrders

_MISSED = Refused("not_filled_at_once", "The first print did not fill it all.")
_MISSED_AUCTION = Refused("not_filled_in_auction", "The auction's price did not reach the limit.")


class Moment(NamedTuple):
    """A trade was printed, or the quote has changed."""

    at: datetime
    #: Of the print; None when only the quote has changed.
    price: Decimal | None
    #: Of the print; None while it isn't known.
    size: Decimal | None = None
    #: The best bid and offer that stand; None where there is no quote to take from.
    touch: Touch | None = None

    def price_for(self, side: Side, *, takes: bool) -> Decimal:
        """What an order meets. One that takes meets the quote where there is one; one that rests
        meets the print, or else whoever comes to it."""
        if self.touch is not None and (takes or self.price is None):
            return self.touch.offers(side)[0]
        assert self.price is not None, "it is a print or a quote"
        return self.price

    def price_of(self, order: Order, *, takes: bool) -> Decimal:
        """The same for an order; in an auction the print's price is everybody's."""
        if order.time_in_force in AUCTIONS and self.price is not None:
            return self.price
        return self.price_for(order.side, takes=takes)

    def size_for(self, side: Side) -> Decimal | None:
        """What was traded, or is shown to be had."""
        if self.price is not None or self.touch is None:
            return self.size
        return self.touch.offers(side)[1]

    @property
    def spread(self) -> Decimal:
        return ZERO if self.touch is None else self.touch.spread


#: Price of the last print in regular hours after an order was taken and before it ends; None
#: without one.
ClosingPrice = Callable[[WorkingOrder], Decimal | None]


class PaperMarket:
    def __init__(
        self,
        orders: WorkingOrders,
        settlement: Settlement,
        lifecycle: Lifecycle,
        groups: Groups,
        requests: Requests,
        turnover: Turnover,
        margin: Margin,
    ) -> None:
        self._orders = orders
        self._settlement = settlement
        self._lifecycle = lifecycle
        self._groups = groups
        self._requests = requests
        #: What tiers of commission by month are counted from.
        self.turnover = turnover
        self._margin = margin

    def meet(self, symbol: Symbol, moment: Moment, *, regular: bool) -> list[Change]:
        """Fill what a print or a quote fills, in order of submission."""
        price = None if moment.price is None else float(moment.price)
        touch = moment.touch and (float(moment.touch.bid), float(moment.touch.ask))
        met = self._orders.met_by(symbol, price, touch, moment.at, regular=regular)
        return self._meet_each(met, moment)

    def _meet_each(self, met: Sequence[tuple[WorkingOrder, bool]], moment: Moment) -> list[Change]:
        changes: list[Change] = []
        taken = ZERO
        # An exit that has nothing to fill yet isn't filled by the print that fills its entry.
        grouped = [each for each, _ in met if each.order.group_id is not None]
        idle = {each.order.id for each in grouped if not each.open_qty}
        for working, first_print in met:
            in_group = working.order.group_id is not None
            if in_group and not self._still_works(working, idle):
                continue
            for change in self._meet(working, moment, taken, first_print=first_print):
                changes.append(change)
                if isinstance(change, OrderMoved):
                    continue
                changes += self._after(change, moment.at)
                if isinstance(change, OrderFilled):
                    if change.order.time_in_force not in AUCTIONS:
                        taken += change.execution.qty
                    changes += self._groups.follow_position(change.order.symbol, moment.at)
        return changes

    def _after(self, change: OrderChanged | OrderFilled, at: datetime) -> Sequence[OrderChanged]:
        """What the step of an order does to those that belong to it."""
        if change.order.group_id is not None:
            return self._groups.after(change, at)
        return self._requests.after(change, at)

    def _still_works(self, working: WorkingOrder, idle: Set[OrderId]) -> bool:
        """Whether there is anything left to fill: the same print may have filled another exit."""
        if working.order.id not in self._orders.by_id:
            return False
        if working.open_qty and working.order.id not in idle:
            return True
        self._orders.rest(working)
        return False

    def _meet(
        self, working: WorkingOrder, moment: Moment, taken: Decimal, *, first_print: bool
    ) -> Sequence[OrderChanged | OrderFilled | OrderMoved]:
        """`taken` is what orders before this one have filled of the print."""
        steps: tuple[Transition, ...] = ()
        if moment.price is None and working.order.time_in_force in AUCTIONS:
            self._orders.rest(working)  # its auction is a print
            return []
        if awaits_trigger(working.order):
            if moment.price is None or not triggers(working.order, moment.price):
                return self._wait_on(working, moment.price)
            steps = (_trigger(working, moment.at),)
            first_print = True
        if working.order.notional is not None and not working.order.filled_qty:
            steps = self._size(working, moment)
            if working.order.status not in WORKING:
                return [OrderChanged(working.order, steps, self._settlement.cash)]
        ahead = working.order.queue_ahead
        changes = self._trade(working, moment, taken, first_print=first_print)
        if not changes:
            # Without steps, it only seemed to reach the limit, or the print was too small.
            if not steps:
                moved = working.order.queue_ahead != ahead
                return [OrderMoved(working.order)] if moved else []
            changes = [OrderChanged(working.order, (), self._settlement.cash)]
        if steps:
            first = changes[0]
            changes[0] = msgspec.structs.replace(first, transitions=(*steps, *first.transitions))
        return changes

    def _size(self, working: WorkingOrder, moment: Moment) -> tuple[Transition, ...]:
        """The quantity that the order's amount comes to at this print; or its end."""
        order = working.order
        assert order.notional is not None, "it is for an amount"
        qty = order.qty
        # A larger quantity may slip further: what the amount comes to at that price is not more.
        for _ in range(2):
            before = qty
            price = _price(working, moment, qty, first_print=True)
            qty = lots_for(order.notional, price, working.lot)
            if qty <= before:
                break
        if not qty:
            return self._lifecycle.end(working, "cancel", moment.at, BELOW_LOT).transitions
        if qty == order.qty:
            return ()
        self._orders.refit(working, msgspec.structs.replace(order, qty=qty), working.withheld)
        return (step(working, "resize", moment.at),)

    def _wait_on(self, working: WorkingOrder, price: Decimal | None) -> list[OrderMoved]:
        """The print did not reach the stop; it may have moved it. A quote does neither."""
        moved = price is not None and trailed(working.order, price)
        if moved:
            working.order = with_mark(working.order, price, working.tick)
        self._orders.rest(working)
        return [OrderMoved(working.order)] if moved else []

    def _trade(
        self, working: WorkingOrder, moment: Moment, taken: Decimal, *, first_print: bool
    ) -> list[OrderChanged | OrderFilled]:
        """Fill what can be filled; what is left goes on working, or ends when it must not."""
        order, left = working.order, working.open_qty
        qty = ZERO
        takes = first_print or order.limit_price is None
        # What others have of the print, when the order rests.
        before = ZERO if takes else _take_place(working, moment)
        order = working.order
        if reached(order, moment.price_of(order, takes=takes)):
            qty = _fillable(working, moment, taken, before)
        if order.time_in_force in ONE_PRINT and qty < left:
            if order.time_in_force == "fok" or not qty:
                why = _MISSED_AUCTION if order.time_in_force in AUCTIONS else _MISSED
                return [self._lifecycle.end(working, "cancel", moment.at, why)]
            filled = self._fill_or_cancel(working, qty, moment, first_print=first_print)
            if isinstance(filled, OrderChanged):
                return [filled]
            return [filled, self._lifecycle.end(working, "cancel", moment.at, _MISSED)]
        if takes and order.limit_price is not None and qty < left:
            _take_place(working, moment._replace(price=None))  # what is left rests from now on
        if not qty:
            self._orders.rest(working)
            return []
        change = self._fill_or_cancel(working, qty, moment, first_print=first_print)
        if working.order.status == "partially_filled":
            self._orders.rest(working)
        return [change]

    def _fill_or_cancel(
        self, working: WorkingOrder, qty: Decimal, moment: Moment, *, first_print: bool
    ) -> OrderChanged | OrderFilled:
        order, at = working.order, moment.at
        price = _price(working, moment, qty, first_print=first_print)
        maker = order.limit_price is not None and not first_print
        value, before = qty * price, self.turnover.at(at)
        part = Part(qty, value, order.filled_qty, working.value, before, maker=maker)
        commission = rounded(working.commission + working.terms.commission.added(part))
        fee = to_cents(commission) - working.fees
        flow = flow_of(order.side, value)
        if self._margin.terms is None:
            obstacle = self._settlement.obstacle_to_fill(working, qty, flow, fee, at)
        else:
            obstacle = self._margin.obstacle_to_fill(working, qty, price, fee, at)
        if obstacle is not None:
            return self._lifecycle.end(working, "cancel", at, obstacle)
        settled = self._settlement.settle(working, qty, price, flow, fee, at)
        self.turnover.add(at, value)
        working.value += value
        working.fees += fee
        working.commission = commission
        taken = self._lifecycle.take_on(working, qty, price, at)
        return OrderFilled(
            working.order,
            (taken,),
            settled.execution,
            settled.holding,
            settled.strategy_holding,
            settled.lots,
            settled.entries,
            self._settlement.cash,
            commission,
        )

    def expire(self, now: datetime, closing_price: ClosingPrice) -> list[Change]:
        """End the orders whose time has come by `now`; CLS orders fill, or end unfilled. What is
        asked of an order and has arrived is carried out, each in its time."""
        changes: list[Change] = []
        while (ending := self._orders.next_to_end()) is not None:
            end, due = ending
            if end > now:
                break
            if due.order.due_at == end:
                changes += self._requests.carry_out(due, now)
                continue
            last = closing_price(due) if due.order.time_in_force == "cls" else None
            if last is not None:
                changes += self._meet_each([(due, True)], Moment(now, last))
                continue
            change = self._lifecycle.end(due, "expire", now)
            changes += [change, *self._after(change, now)]
        return changes

    def forget_prints(self) -> list[Change]:
        """A new run begins: what was printed before it has no meaning for it."""
        changes: list[Change] = []
        for working in self._orders.by_id.values():
            order = working.order
            if awaits_trigger(order) and order.hwm is not None:
                working.order = with_mark(order, None, working.tick)
            elif order.queue_ahead is not None:
                working.order = msgspec.structs.replace(order, queue_ahead=None)
            if working.order is not order:
                changes.append(OrderMoved(working.order))
        self._orders.forget_prints()
        return changes


def _price(working: WorkingOrder, moment: Moment, qty: Decimal, *, first_print: bool) -> Decimal:
    side = working.order.side
    takes = first_print or working.order.limit_price is None
    return fill_price(
        working,
        moment.price_of(working.order, takes=takes),
        qty,
        moment.size_for(side),
        first_print=first_print,
        spread=moment.spread,
    )


def _take_place(working: WorkingOrder, moment: Moment) -> Decimal:
    """What of the print goes to others before an order that rests, which keeps its place."""
    order = working.order
    place = place_of(order, working.terms.queue, moment.price, moment.size, moment.touch)
    if place.ahead != order.queue_ahead:
        working.order = msgspec.structs.replace(order, queue_ahead=place.ahead)
    return place.before


def _fillable(working: WorkingOrder, moment: Moment, taken: Decimal, before: Decimal) -> Decimal:
    """What can fill now, when others have taken some, and some goes to those before it. What a
    quote shows is had once: the rest of an order waits for prints. In an auction there is more
    than its print."""
    if working.order.time_in_force in AUCTIONS:
        return working.open_qty
    size = moment.size_for(working.order.side)
    if before:
        if size is None or size <= before:
            return ZERO
        size -= before
    most = working.terms.fillable(size, working.lot)
    if most is None:
        return working.open_qty
    if moment.price is None and working.order.filled_qty:
        return ZERO
    return max(min(most - taken, working.open_qty), ZERO)


def _trigger(working: WorkingOrder, at: datetime) -> Transition:
    return step(working, "trigger", at, triggered_at=at)
