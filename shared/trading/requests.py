"""What is asked of working paper orders and takes its time to the market: cancels, replacements.

Until a request arrives (`due_at`), the order works on and can fill. An order that is to take
another's place is accepted at once and reserves what it needs, as the old one does; it reaches the
market when the old one leaves it. What the old one fills meanwhile, the new one loses.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import OrderId
from shared.models.orders import Order
from shared.trading.amounts import ZERO
from shared.trading.changes import OrderChanged, OrderFilled, WorkingOrder
from shared.trading.groups import Groups
from shared.trading.lifecycle import Lifecycle, step
from shared.trading.orders import WORKING
from shared.trading.paper_terms import PaperTerms
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused
from shared.trading.working import WorkingOrders

PENDING = Refused(
    "order_change_pending", "A cancel or a replacement of the order is on its way to the market."
)
_OLD_FILLED = Refused("replaced_order_filled", "The order that it was to replace has filled first.")
_OLD_ENDED = Refused("replaced_order_ended", "The order that it was to replace has ended first.")


class Requests:
    def __init__(
        self,
        orders: WorkingOrders,
        lifecycle: Lifecycle,
        groups: Groups,
        settlement: Settlement,
    ) -> None:
        self._orders = orders
        self._lifecycle = lifecycle
        self._groups = groups
        self._settlement = settlement

    def cancel(self, order_id: OrderId, at: datetime) -> list[OrderChanged]:
        """By its owner: at once, or when the cancel arrives. None when no such order works."""
        working = self._orders.by_id.get(order_id)
        if working is None:
            return []
        if not working.latency:
            return self._groups.cancel(working, at)
        order = working.order
        changes: list[OrderChanged] = []
        if order.replaced_by is not None:
            # It leaves the market when its replacement would have come.
            changes = self._end_successor(order, at, None)
            working.order = msgspec.structs.replace(order, replaced_by=None)
        elif order.due_at is None:
            self._ask(working, at, working)
        return [self._told(working), *changes]

    def take_time(self, working: WorkingOrder, terms: PaperTerms) -> bool:
        """Whether an order with these terms takes its place only later. Orders of a group are
        replaced at once."""
        order = working.order
        return terms.has_latency and order.mode == "paper" and order.group_id is None

    def replace(self, working: WorkingOrder, new: WorkingOrder, at: datetime) -> OrderChanged:
        """When `new` arrives."""
        working.order = msgspec.structs.replace(working.order, replaced_by=new.order.id)
        self._ask(working, at, new)
        return self._told(working)

    def carry_out(self, working: WorkingOrder, at: datetime) -> list[OrderChanged]:
        """What was asked of it has arrived."""
        if working.order.replaced_by is None:
            return self._groups.cancel(working, at)
        return [self._lifecycle.end(working, "replace", at)]

    def carry_out_all(self, at: datetime) -> list[OrderChanged]:
        """Another run begins, or there is none any more: what was on its way is there."""
        changes: list[OrderChanged] = []
        for working in list(self._orders.by_id.values()):
            if working.order.due_at is not None and working.order.id in self._orders.by_id:
                changes += self.carry_out(working, at)
        return changes

    def after(self, change: OrderChanged | OrderFilled, at: datetime) -> list[OrderChanged]:
        """What the market's or the clock's step of an order does to the one that is to replace
        it."""
        order = change.order
        if order.replaced_by is None:
            return []
        if isinstance(change, OrderFilled):
            return self._shrink_successor(order, change.execution.qty, at)
        return [] if order.status in WORKING else self._end_successor(order, at, _OLD_ENDED)

    def _ask(self, working: WorkingOrder, at: datetime, who: WorkingOrder) -> None:
        due_at = at + who.latency
        working.order = msgspec.structs.replace(working.order, due_at=due_at, updated_at=at)
        self._orders.ends_at(working, due_at)

    def _told(self, working: WorkingOrder) -> OrderChanged:
        return OrderChanged(working.order, (), self._settlement.cash)

    def _shrink_successor(self, order: Order, qty: Decimal, at: datetime) -> list[OrderChanged]:
        new = self._successor(order)
        if new is None:
            return []
        left = new.order.qty - qty
        if left <= ZERO:
            return self._end_successor(order, at, _OLD_FILLED)
        self._orders.refit(new, msgspec.structs.replace(new.order, qty=left), new.withheld)
        taken = step(new, "resize", at)
        resized = OrderChanged(new.order, (taken,), self._settlement.cash)
        return [resized, *self._shrink_successor(new.order, qty, at)]

    def _end_successor(self, order: Order, at: datetime, why: Refused | None) -> list[OrderChanged]:
        new = self._successor(order)
        if new is None:
            return []
        ended = self._lifecycle.end(new, "cancel", at, why)
        return [ended, *self._end_successor(ended.order, at, why)]

    def _successor(self, order: Order) -> WorkingOrder | None:
        return None if order.replaced_by is None else self._orders.by_id.get(order.replaced_by)
