"""The orders at work in one set of books: who waits for which price or time, and what they keep
from others."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from shared.models.identifiers import OrderId, Symbol
from shared.models.orders import Order, Side
from shared.trading.amounts import ZERO, rounded_up
from shared.trading.changes import WorkingOrder
from shared.trading.matching import NOTHING_WORKS, OrderQueue, Reach

#: Cash and quantity that are kept from others.
Kept = tuple[Decimal, Decimal]
_NOTHING: Kept = (ZERO, ZERO)


class WorkingOrders:
    def __init__(self, foreign: Mapping[Symbol, str] | None = None) -> None:
        """`foreign`: the currencies of symbols that are not quoted in the account's."""
        self._foreign = {} if foreign is None else foreign
        #: In order of submission.
        self.by_id: dict[OrderId, WorkingOrder] = {}
        #: Of the account's currency, and of others.
        self.reserved_cash = ZERO
        self.reserved_foreign: dict[str, Decimal] = {}
        self._reserved_qty: dict[Symbol, Decimal] = {}
        #: The exits of a group keep things together: only one of them can take what is there.
        self._exits: dict[OrderId, dict[OrderId, WorkingOrder]] = {}
        #: By whether they fill outside of regular hours too, and symbol.
        self._queues: dict[tuple[bool, Symbol], OrderQueue] = {}
        #: Exits in no queue, because nothing of them can fill for now.
        self._parked: set[OrderId] = set()
        #: Orders with an end, or with something asked of them that is on its way, by its time;
        #: those that don't work any more are dropped when they come up.
        self._ends: list[tuple[datetime, int, OrderId]] = []

    def start(self, working: WorkingOrder, *, fresh: bool) -> None:
        """`fresh`: it waits for its first print."""
        order = working.order
        self.by_id[order.id] = working
        for end in (order.expires_at, order.due_at):
            if end is not None:
                self.ends_at(working, end)
        if order.status != "held":
            self.activate(working, fresh=fresh)

    def activate(self, working: WorkingOrder, *, fresh: bool) -> None:
        """A held one begins to wait for prices, and to keep things from others."""
        order = working.order
        if is_exit(order):
            self._change_exits(working, add=True)
        else:
            self._keep(order.symbol, _NOTHING, kept_by(working))
        self._enqueue(working, fresh=fresh)

    def stop(self, working: WorkingOrder) -> None:
        order = working.order
        del self.by_id[order.id]
        if is_exit(order):
            self._change_exits(working, add=False)
            self._parked.discard(order.id)
        else:
            self._keep(order.symbol, kept_by(working), _NOTHING)

    def refit(self, working: WorkingOrder, order: Order, withheld: Decimal) -> None:
        """The order works on with other quantities, and keeps what those need."""
        exits = {} if order.group_id is None else self._exits.get(order.group_id, {})
        if is_exit(order):
            before = _kept_by_any(exits)
            working.order, working.withheld = order, withheld
            self._keep(order.symbol, before, _kept_by_any(exits))
        else:
            before = kept_by(working)
            working.order, working.withheld = order, withheld
            self._keep(order.symbol, before, kept_by(working))
        if order.id in self._parked and working.open_qty:
            self._parked.discard(order.id)
            self._enqueue(working, fresh=False)

    # --- what they keep ----------------------------------------------------------------------

    def reserved_qty(self, symbol: Symbol) -> Decimal:
        """What working sells will deliver."""
        return self._reserved_qty.get(symbol, ZERO)

    def selling(self) -> Iterable[tuple[Symbol, Decimal]]:
        return self._reserved_qty.items()

    def committed_qty(
        self, symbol: Symbol, side: Side, freed: Sequence[WorkingOrder] = ()
    ) -> Decimal:
        """What is still to be filled on one side, but for `freed`. Exits of a group count once,
        those that follow a position not at all."""
        if side == "sell":
            return self.reserved_qty(symbol) - self.freed_without(freed)[1]
        gone = {each.order.id for each in freed}
        return _left_to_fill(
            each
            for order_id, each in self.by_id.items()
            if each.order.symbol == symbol and each.order.side == side and order_id not in gone
        )

    def committed_by(self, owner: UUID | None, symbol: Symbol, side: Side) -> Decimal:
        """The same of one deployment's orders, or of those by hand."""
        return _left_to_fill(
            each
            for each in self.working_in(symbol)
            if each.order.side == side and each.order.deployment_id == owner
        )

    def freed_without(self, gone: Iterable[WorkingOrder]) -> Kept:
        """What would no longer be kept if these, which are in one symbol, ended."""
        cash = qty = ZERO
        leaving: dict[OrderId, set[OrderId]] = {}
        for working in gone:
            order = working.order
            if is_exit(order):
                assert order.group_id is not None, "an exit is in a group"
                leaving.setdefault(order.group_id, set()).add(order.id)
            else:
                own_cash, own_qty = kept_by(working)
                cash, qty = cash + own_cash, qty + own_qty
        for group_id, ids in leaving.items():
            exits = self._exits.get(group_id, {})
            stay = {each: exits[each] for each in exits if each not in ids}
            cash_before, qty_before = _kept_by_any(exits)
            cash_after, qty_after = _kept_by_any(stay)
            cash, qty = cash + cash_before - cash_after, qty + qty_before - qty_after
        return cash, qty

    def _change_exits(self, working: WorkingOrder, *, add: bool) -> None:
        order = working.order
        assert order.group_id is not None, "an exit is in a group"
        exits = self._exits.setdefault(order.group_id, {})
        before = _kept_by_any(exits)
        if add:
            exits[order.id] = working
        else:
            exits.pop(order.id, None)
        self._keep(order.symbol, before, _kept_by_any(exits))
        if not exits:
            del self._exits[order.group_id]

    def _keep(self, symbol: Symbol, before: Kept, after: Kept) -> None:
        currency = self._foreign.get(symbol) if self._foreign else None
        if currency is None:
            self.reserved_cash += after[0] - before[0]
        else:
            kept = self.reserved_foreign.get(currency, ZERO)
            self.reserved_foreign[currency] = kept + after[0] - before[0]
        if before[1] != after[1]:
            self._reserved_qty[symbol] = self.reserved_qty(symbol) + after[1] - before[1]

    def working_in(self, symbol: Symbol | None) -> list[WorkingOrder]:
        """Those in one symbol, or all."""
        return [
            each for each in self.by_id.values() if symbol is None or each.order.symbol == symbol
        ]

    # --- prices ------------------------------------------------------------------------------

    def reach(self, symbol: Symbol, *, regular: bool) -> Reach:
        queues = self._queues_in(symbol, regular=regular)
        if len(queues) == 1:
            return queues[0].reach()
        reach = NOTHING_WORKS
        for queue in queues:
            reach = reach.combined(queue.reach())
        return reach

    def _queues_in(self, symbol: Symbol, *, regular: bool) -> list[OrderQueue]:
        """Of the orders that can fill in regular hours, or outside of them."""
        every_hour = self._queues.get((True, symbol))
        queues = [] if every_hour is None else [every_hour]
        if regular and (in_regular := self._queues.get((False, symbol))) is not None:
            queues.append(in_regular)
        return queues

    def met_by(
        self,
        symbol: Symbol,
        price: float | None,
        touch: tuple[float, float] | None,
        at: datetime,
        *,
        regular: bool,
    ) -> list[tuple[WorkingOrder, bool]]:
        """Those that a print may fill or move, and whether it is their first; without a price,
        those that the quote may fill. They no longer wait for prices: `rest` those that go on
        working."""
        queues = self._queues_in(symbol, regular=regular)
        if len(queues) == 1:
            met = queues[0].met_by(price, touch, at)
        else:
            met = sorted(each for queue in queues for each in queue.met_by(price, touch, at))
        return [(self.by_id[order_id], first_print) for _, order_id, first_print in met]

    def rest(self, working: WorkingOrder) -> None:
        self._enqueue(working, fresh=False)

    def _enqueue(self, working: WorkingOrder, *, fresh: bool) -> None:
        order = working.order
        if order.time_in_force == "cls":
            return  # it meets one print, at its end
        if not working.open_qty:
            self._parked.add(order.id)
            return
        key = (order.extended_hours, order.symbol)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = OrderQueue(self.by_id.__contains__)
        # An OPG order meets one print, whatever quotes came before it.
        queue.add(working, fresh=fresh or order.time_in_force == "opg")

    def forget_prints(self) -> None:
        for extended_hours, symbol in self._queues:
            self._wait_again(symbol, extended_hours=extended_hours)

    def open_regular_hours(self, symbol: Symbol) -> None:
        """For the orders that fill in regular hours alone, the next print is the first again."""
        if (False, symbol) in self._queues:
            self._wait_again(symbol, extended_hours=False)

    def wait_again(self, symbol: Symbol) -> None:
        """For all orders in it the next print is the first again; their prices may have changed."""
        for extended_hours in (True, False):
            if (extended_hours, symbol) in self._queues:
                self._wait_again(symbol, extended_hours=extended_hours)

    def _wait_again(self, symbol: Symbol, *, extended_hours: bool) -> None:
        active = [
            each
            for each in self.working_in(symbol)
            if each.order.extended_hours == extended_hours
            and each.order.status != "held"
            and each.order.time_in_force != "cls"
        ]
        self._parked |= {each.order.id for each in active if not each.open_qty}
        queue = self._queues[extended_hours, symbol]
        queue.forget_prints([each for each in active if each.open_qty])

    # --- time --------------------------------------------------------------------------------

    def ends_at(self, working: WorkingOrder, end: datetime) -> None:
        heapq.heappush(self._ends, (end, working.order.seq, working.order.id))

    def next_to_end(self) -> tuple[datetime, WorkingOrder] | None:
        """The order that ends first, of those that have an end, and when."""
        while self._ends and self._ends[0][2] not in self.by_id:
            heapq.heappop(self._ends)
        if not self._ends:
            return None
        end, _, order_id = self._ends[0]
        return end, self.by_id[order_id]


def is_exit(order: Order) -> bool:
    return order.group_role is not None and order.group_role != "entry"


def kept_by(working: WorkingOrder) -> Kept:
    """What one order by itself keeps. Nothing, while it is held."""
    order = working.order
    if order.protects_position:
        return _NOTHING
    if order.side == "sell":
        return ZERO, working.open_qty
    if not order.filled_qty:
        return working.reserved, ZERO
    return rounded_up(working.reserved * working.open_qty / order.qty), ZERO


def _left_to_fill(orders: Iterable[WorkingOrder]) -> Decimal:
    qty = ZERO
    exits: dict[OrderId, Decimal] = {}
    for each in orders:
        order = each.order
        if order.status == "held" or order.protects_position:
            continue
        if is_exit(order):
            assert order.group_id is not None, "an exit is in a group"
            exits[order.group_id] = max(exits.get(order.group_id, ZERO), each.open_qty)
        else:
            qty += each.open_qty
    return qty + sum(exits.values(), ZERO)


def _kept_by_any(exits: dict[OrderId, WorkingOrder]) -> Kept:
    """What is kept for whichever of them fills."""
    if not exits:
        return _NOTHING
    kept = [kept_by(each) for each in exits.values()]
    return max(cash for cash, _ in kept), max(qty for _, qty in kept)
