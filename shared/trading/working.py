"""The orders at work in one set of books: who waits for which price or time, and what they keep
from others."""

import heapq
from datetime import datetime
from decimal import Decimal

from shared.models.identifiers import OrderId, Symbol
from shared.trading.amounts import ZERO, rounded_up
from shared.trading.changes import WorkingOrder
from shared.trading.matching import NOTHING_WORKS, OrderQueue, Reach


class WorkingOrders:
    def __init__(self) -> None:
        #: In order of submission.
        self.by_id: dict[OrderId, WorkingOrder] = {}
        self.reserved_cash = ZERO
        self._reserved_qty: dict[Symbol, Decimal] = {}
        self._queues: dict[Symbol, OrderQueue] = {}
        #: DAY and GTD orders by their end; those that don't work any more are dropped when they
        #: come up.
        self._ends: list[tuple[datetime, int, OrderId]] = []

    def start(self, working: WorkingOrder, *, fresh: bool) -> None:
        """`fresh`: it waits for its first print."""
        order = working.order
        self.by_id[order.id] = working
        if order.expires_at is not None:
            heapq.heappush(self._ends, (order.expires_at, order.seq, order.id))
        self.reserved_cash += working.reserved
        if order.side == "sell":
            self._reserved_qty[order.symbol] = self.reserved_qty(order.symbol) + working.left
        queue = self._queues.get(order.symbol)
        if queue is None:
            queue = self._queues[order.symbol] = OrderQueue(self.by_id.__contains__)
        queue.add(order, fresh=fresh)

    def stop(self, working: WorkingOrder) -> None:
        order = working.order
        del self.by_id[order.id]
        self.reserved_cash -= working.reserved
        if order.side == "sell":
            self._reserved_qty[order.symbol] -= working.left

    def shrink(self, working: WorkingOrder, qty: Decimal) -> None:
        """`qty` of what was left is about to fill, and the rest goes on working: it keeps its
        share of the reserve, rounded up to 12 decimals."""
        left = working.left
        kept = rounded_up(working.reserved * (left - qty) / left)
        self.reserved_cash -= working.reserved - kept
        working.reserved = kept
        if working.order.side == "sell":
            self._reserved_qty[working.order.symbol] -= qty

    def reserved_qty(self, symbol: Symbol) -> Decimal:
        """What working sells will deliver."""
        return self._reserved_qty.get(symbol, ZERO)

    def working_in(self, symbol: Symbol | None) -> list[WorkingOrder]:
        """Those in one symbol, or all."""
        return [
            each for each in self.by_id.values() if symbol is None or each.order.symbol == symbol
        ]

    # --- prices ------------------------------------------------------------------------------

    def reach(self, symbol: Symbol) -> Reach:
        queue = self._queues.get(symbol)
        return NOTHING_WORKS if queue is None else queue.reach()

    def met_by(self, symbol: Symbol, price: float) -> list[tuple[WorkingOrder, bool]]:
        """Those that a print may fill or move, and whether it is their first. They no longer
        wait for prices: `rest` those that go on working."""
        queue = self._queues.get(symbol)
        if queue is None:
            return []
        met = queue.met_by(price)
        return [(self.by_id[order_id], first_print) for _, order_id, first_print in met]

    def rest(self, working: WorkingOrder) -> None:
        self._queues[working.order.symbol].add(working.order, fresh=False)

    def forget_prints(self) -> None:
        for symbol, queue in self._queues.items():
            queue.forget_prints([each.order for each in self.working_in(symbol)])

    # --- time --------------------------------------------------------------------------------

    def next_to_end(self) -> WorkingOrder | None:
        """The DAY or GTD order that ends first."""
        while self._ends and self._ends[0][2] not in self.by_id:
            heapq.heappop(self._ends)
        return self.by_id[self._ends[0][2]] if self._ends else None
