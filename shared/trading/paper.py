"""The paper market of one set of books: what prints and time do to its working orders."""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import Symbol
from shared.models.orders import Order
from shared.trading.amounts import rounded
from shared.trading.changes import Change, OrderChanged, OrderFilled, StopMoved, WorkingOrder
from shared.trading.costs import CostModel
from shared.trading.groups import Groups
from shared.trading.lifecycle import Lifecycle, step
from shared.trading.matching import awaits_trigger, fill_price, trailed, triggers, with_mark
from shared.trading.orders import Transition
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused
from shared.trading.tickets import AT_ONCE
from shared.trading.working import WorkingOrders

_MISSED = Refused("not_filled_at_once", "The first print did not reach the limit.")


class PaperMarket:
    def __init__(
        self,
        orders: WorkingOrders,
        settlement: Settlement,
        lifecycle: Lifecycle,
        groups: Groups,
    ) -> None:
        self._orders = orders
        self._settlement = settlement
        self._lifecycle = lifecycle
        self._groups = groups

    def meet_print(
        self, symbol: Symbol, price: Decimal, costs: CostModel, at: datetime
    ) -> list[Change]:
        """A trade was printed: fill what it fills, in order of submission."""
        changes: list[Change] = []
        for working, first_print in self._orders.met_by(symbol, float(price)):
            if working.order.group_id is not None and not self._still_works(working):
                continue
            change = self._meet(working, price, costs, at, first_print=first_print)
            if change is None:
                continue
            changes.append(change)
            if isinstance(change, StopMoved):
                continue
            if change.order.group_id is not None:
                changes += self._groups.after(change, at)
            if isinstance(change, OrderFilled):
                changes += self._groups.follow_position(symbol, at)
        return changes

    def _still_works(self, working: WorkingOrder) -> bool:
        """Whether there is anything left to fill: the same print may have filled another exit."""
        if working.order.id not in self._orders.by_id:
            return False
        if working.open_qty:
            return True
        self._orders.rest(working)
        return False

    def _meet(
        self,
        working: WorkingOrder,
        price: Decimal,
        costs: CostModel,
        at: datetime,
        *,
        first_print: bool,
    ) -> OrderChanged | OrderFilled | StopMoved | None:
        steps: tuple[Transition, ...] = ()
        if awaits_trigger(working.order):
            if not triggers(working.order, price):
                return self._wait_on(working, price)
            steps = (_trigger(working, at),)
            first_print = True
        order = working.order
        at_price = fill_price(order, price, costs, working.tick, first_print=first_print)
        change: OrderChanged | OrderFilled
        if at_price is not None:
            change = self._fill_or_cancel(working, at_price, costs, at)
        elif order.time_in_force in AT_ONCE:
            change = self._lifecycle.end(working, "cancel", at, _MISSED)
        else:
            self._orders.rest(working)
            # Without steps, it only seemed to reach the limit.
            return OrderChanged(order, steps, self._settlement.cash) if steps else None
        return msgspec.structs.replace(change, transitions=(*steps, *change.transitions))

    def _wait_on(self, working: WorkingOrder, price: Decimal) -> StopMoved | None:
        """The print did not reach the stop; it may have moved it."""
        moved = trailed(working.order, price)
        if moved:
            working.order = with_mark(working.order, price, working.tick)
        self._orders.rest(working)
        return StopMoved(working.order) if moved else None

    def _fill_or_cancel(
        self, working: WorkingOrder, price: Decimal, costs: CostModel, at: datetime
    ) -> OrderChanged | OrderFilled:
        qty = working.open_qty
        obstacle = self._settlement.obstacle_to(working, qty, price, costs)
        if obstacle is not None:
            return self._lifecycle.end(working, "cancel", at, obstacle)
        filled = self.fill(working, qty, price, costs, at)
        if filled.order.filled_qty < filled.order.qty:
            self._orders.rest(working)
        return filled

    def fill(
        self, working: WorkingOrder, qty: Decimal, price: Decimal, costs: CostModel, at: datetime
    ) -> OrderFilled:
        """All that can fill now, or part of it."""
        settled = self._settlement.settle(working, qty, price, costs, at)
        after = _filled(working.order, qty, price)
        if after.filled_qty == after.qty:
            self._orders.stop(working)
            working.order = after
            taken = step(working, "fill", at)
        else:
            self._orders.refit(working, after, working.withheld)
            taken = step(working, "fill_part", at)
        return OrderFilled(
            working.order,
            (taken,),
            settled.execution,
            settled.holding,
            settled.strategy_holding,
            settled.lots,
            settled.entries,
            self._settlement.cash,
        )

    def expire(self, now: datetime) -> list[Change]:
        """End the DAY and GTD orders whose time has come by `now`."""
        changes: list[Change] = []
        while (due := self._orders.next_to_end()) is not None:
            assert due.order.expires_at is not None, "it has an end"
            if due.order.expires_at > now:
                break
            change = self._lifecycle.end(due, "expire", now)
            changes.append(change)
            if change.order.group_id is not None:
                changes += self._groups.after(change, now)
        return changes

    def forget_prints(self) -> list[Change]:
        """A new run begins: what was printed before it has no meaning for it."""
        changes: list[Change] = []
        for working in self._orders.by_id.values():
            order = working.order
            if awaits_trigger(order) and order.hwm is not None:
                working.order = with_mark(order, None, working.tick)
                changes.append(StopMoved(working.order))
        self._orders.forget_prints()
        return changes


def _filled(order: Order, qty: Decimal, price: Decimal) -> Order:
    total = order.filled_qty + qty
    if order.avg_fill_price is not None:
        price = rounded((order.filled_qty * order.avg_fill_price + qty * price) / total)
    return msgspec.structs.replace(order, filled_qty=total, avg_fill_price=price)


def _trigger(working: WorkingOrder, at: datetime) -> Transition:
    triggered = step(working, "trigger", at)
    working.order = msgspec.structs.replace(working.order, triggered_at=at)
    return triggered
