"""Orders that belong together: what a step of one does to the others.

A bracket is an entry with two exits, an OTO with one; an OCO is two exits of what is held. Exits
are held until their entry fills, and then work for what it has filled. What one exit fills, the
other loses. So each exit always has the same left to do, and they keep the position once.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import OrderId, Symbol
from shared.models.orders import GroupRole, Order, SubmitOrder
from shared.trading.amounts import ZERO
from shared.trading.changes import OrderChanged, OrderFilled, WorkingOrder
from shared.trading.classes import exits_fault
from shared.trading.lifecycle import Lifecycle, step
from shared.trading.matching import with_mark
from shared.trading.orders import WORKING
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused
from shared.trading.working import WorkingOrders, is_exit

_ENTRY_ENDED = Refused("entry_ended", "The entry that it was to follow ended before it filled.")
_OTHER_FILLED = Refused("other_exit_filled", "Another exit of the group has filled.")
_POSITION_CLOSED = Refused("position_closed", "The position that it protected was closed.")
_PROTECTED_ANEW = Refused("protection_replaced", "The position was protected anew.")
_GROUP_CANCELLED = Refused("group_cancelled", "An exit of its group was cancelled.")


class Groups:
    def __init__(self, orders: WorkingOrders, lifecycle: Lifecycle, settlement: Settlement) -> None:
        self._orders = orders
        self._lifecycle = lifecycle
        self._settlement = settlement
        #: Working members by group, and by id.
        self._members: dict[OrderId, dict[OrderId, WorkingOrder]] = {}
        #: Groups that protect the position in a symbol.
        self._protecting: dict[Symbol, OrderId] = {}

    def join(self, working: WorkingOrder) -> None:
        """Before it starts to work; an exit after its entry, if that works."""
        order = working.order
        if order.group_id is None:
            return
        self._members.setdefault(order.group_id, {})[order.id] = working
        if order.protects_position:
            self._protecting[order.symbol] = order.group_id
        elif is_exit(order):
            entry = self.entry_of(order)
            working.withheld = ZERO if entry is None else _left(entry)

    def entry_of(self, order: Order) -> WorkingOrder | None:
        for member in self._others(order):
            if member.order.group_role == "entry":
                return member
        return None

    def exits_of(self, order: Order) -> list[WorkingOrder]:
        """The others, in order of submission."""
        return [member for member in self._others(order) if is_exit(member.order)]

    def _others(self, order: Order) -> list[WorkingOrder]:
        members = self._members.get(order.group_id, {}) if order.group_id is not None else {}
        others = [each for each in members.values() if each.order.id != order.id]
        return sorted(others, key=lambda each: each.order.seq)

    def _leave(self, order: Order) -> None:
        assert order.group_id is not None, "it is in a group"
        members = self._members[order.group_id]
        del members[order.id]
        if not members:
            del self._members[order.group_id]
            if order.protects_position:
                del self._protecting[order.symbol]

    def fault_of_replacing(self, working: WorkingOrder, draft: SubmitOrder) -> Refused | None:
        """Whether the prices of the group still make sense. An exit that works may lie on any
        side of what its entry has filled at."""
        order = working.order
        if order.group_role is None:
            return None
        group: dict[GroupRole, SubmitOrder | Order] = {order.group_role: draft}
        for each in self._others(order):
            other = each.order
            filling = is_exit(order) != is_exit(other) and "held" not in (
                order.status,
                other.status,
            )
            if other.group_role is not None and not filling:
                group[other.group_role] = other
        return exits_fault(group) if len(group) > 1 else None

    # --- what happens ------------------------------------------------------------------------

    def cancel(
        self, working: WorkingOrder, at: datetime, why: Refused | None = None
    ) -> list[OrderChanged]:
        """By its owner, or because of `why`. An exit takes the rest of the group along, an entry
        what it has not filled: what it has stays guarded."""
        order = working.order
        changes = [self._lifecycle.end(working, "cancel", at, why)]
        if order.group_id is None:
            return changes
        self._leave(order)
        if not is_exit(order):
            return changes + self._give_up(order, at)
        others = self._others(order)
        return changes + [self._cancel(each, at, _GROUP_CANCELLED) for each in others]

    def cancel_each(self, orders: Iterable[WorkingOrder], at: datetime) -> list[OrderChanged]:
        changes: list[OrderChanged] = []
        for each in orders:
            if each.order.id in self._orders.by_id:  # and not gone with another of its group
                changes += self.cancel(each, at)
        return changes

    def after(self, change: OrderChanged | OrderFilled, at: datetime) -> list[OrderChanged]:
        """What the market's or the clock's step of a member does to the others."""
        order = change.order
        if order.status not in WORKING:
            self._leave(order)
        if isinstance(change, OrderFilled):
            traded = change.execution
            if order.protects_position:
                return []  # it follows the position, as the others do
            if is_exit(order):
                return self._take_from_others(order, traded.qty, at)
            return self._release(order, traded.price, at)
        if order.status not in WORKING and not is_exit(order):
            return self._give_up(order, at)
        return []

    def replaced(self, old: Order, new: WorkingOrder, at: datetime) -> list[OrderChanged]:
        """The new order has taken the old one's place. Exits follow an entry's quantity."""
        if old.group_id is None:
            return []
        self._members[old.group_id][new.order.id] = new
        self._leave(old)
        if is_exit(old):
            return []
        more = _left(new) - (old.qty - old.filled_qty)
        return [
            self._resize(each, each.order.qty + more, _left(new), at)
            for each in self.exits_of(old)
            if more
        ]

    def protecting(self, symbol: Symbol) -> list[WorkingOrder]:
        """What protects the position in `symbol`, in order of submission."""
        group_id = self._protecting.get(symbol)
        if group_id is None:
            return []
        return sorted(self._members[group_id].values(), key=lambda each: each.order.seq)

    def follow_position(self, symbol: Symbol, at: datetime) -> list[OrderChanged]:
        """The position has changed: its protection has the same quantity, or ends with it."""
        if symbol not in self._protecting:
            return []
        changes = []
        held = self._settlement.held(symbol)
        for each in self.protecting(symbol):
            order = each.order
            left = held if order.side == "sell" else -held
            if left <= 0:
                changes.append(self._cancel(each, at, _POSITION_CLOSED))
            elif order.qty != order.filled_qty + left:
                changes.append(self._resize(each, order.filled_qty + left, ZERO, at))
        return changes

    def unprotect(self, symbol: Symbol, at: datetime) -> list[OrderChanged]:
        return [self._cancel(each, at, _PROTECTED_ANEW) for each in self.protecting(symbol)]

    def _release(self, entry: Order, price: Decimal, at: datetime) -> list[OrderChanged]:
        """The entry has filled at `price`: its exits work for that much."""
        withheld = entry.qty - entry.filled_qty
        changes = []
        for each in self.exits_of(entry):
            self._orders.refit(each, each.order, withheld)
            if each.order.status == "held":
                changes.append(self._activate(each, price, at))
        return changes

    def _activate(self, working: WorkingOrder, price: Decimal, at: datetime) -> OrderChanged:
        taken = step(working, "activate", at)
        if working.order.type == "trailing_stop":
            working.order = with_mark(working.order, price, working.tick)
        # It is at its price before the next print comes: that finds it resting.
        self._orders.activate(working, fresh=False)
        return OrderChanged(working.order, (taken,), self._settlement.cash)

    def _give_up(self, entry: Order, at: datetime) -> list[OrderChanged]:
        """The rest of the entry will not fill any more."""
        rest = entry.qty - entry.filled_qty
        return [
            self._cancel(each, at, _ENTRY_ENDED)
            if _left(each) == rest
            else self._resize(each, each.order.qty - rest, ZERO, at)
            for each in self.exits_of(entry)
        ]

    def _take_from_others(self, order: Order, qty: Decimal, at: datetime) -> list[OrderChanged]:
        return [
            self._cancel(each, at, _OTHER_FILLED)
            if _left(each) == qty
            else self._resize(each, each.order.qty - qty, each.withheld, at)
            for each in self.exits_of(order)
        ]

    def _resize(
        self, working: WorkingOrder, qty: Decimal, withheld: Decimal, at: datetime
    ) -> OrderChanged:
        resized = msgspec.structs.replace(working.order, qty=qty)
        self._orders.refit(working, resized, withheld)
        taken = step(working, "resize", at)
        return OrderChanged(working.order, (taken,), self._settlement.cash)

    def _cancel(self, working: WorkingOrder, at: datetime, why: Refused) -> OrderChanged:
        ended = self._lifecycle.end(working, "cancel", at, why)
        self._leave(working.order)
        return ended


def _left(working: WorkingOrder) -> Decimal:
    return working.order.qty - working.order.filled_qty
