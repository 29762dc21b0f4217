"""Paper fills: when and at what price an order meets the prints of its symbol.

A market order fills whole at the first print, worsened by slippage. A limit order fills at the
first print at or through its limit: at the print's price (worsened by slippage, never beyond
the limit) when that is the first print it sees, else at its limit, because it was resting there
when the market came to it.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import NamedTuple

from shared.models.identifiers import OrderId
from shared.models.orders import Order, Side
from shared.trading.costs import CostModel


def fill_price(
    order: Order, print_price: Decimal, costs: CostModel, tick: Decimal, *, first_print: bool
) -> Decimal | None:
    """The price at which `order` fills at this print; None when the print doesn't reach it."""
    if order.limit_price is None:
        return costs.slipped(print_price, order.side, tick)
    if not reaches(print_price, order.side, order.limit_price):
        return None
    if not first_print:
        return order.limit_price
    slipped = costs.slipped(print_price, order.side, tick)
    best = min if order.side == "buy" else max
    return best(slipped, order.limit_price)


def reaches(print_price: Decimal, side: Side, limit: Decimal) -> bool:
    return print_price <= limit if side == "buy" else print_price >= limit


class Reach(NamedTuple):
    """Which prints can matter to the working orders of a symbol.

    Limits are the floats nearest to the exact ones. Rounding keeps order, so that a print that
    reaches a limit exactly is never missed; one that only seems to is sorted out exactly later.
    """

    #: An order waits for its first print: any print matters.
    fresh: bool = False
    highest_buy: float = -math.inf
    lowest_sell: float = math.inf

    def combined(self, other: "Reach") -> "Reach":
        return Reach(
            self.fresh or other.fresh,
            max(self.highest_buy, other.highest_buy),
            min(self.lowest_sell, other.lowest_sell),
        )


NOTHING_WORKS = Reach()


class OrderQueue:
    """Working orders of one symbol. A print costs nothing for orders that it doesn't reach.

    The owner tells which orders still rest; those that went away are dropped when they come up.
    """

    def __init__(self, rests: Callable[[OrderId], bool]) -> None:
        self._rests = rests
        #: Waiting for their first print, in order of submission.
        self._fresh: deque[tuple[int, Order]] = deque()
        #: Best limit first: (key, seq, id).
        self._buys: list[tuple[float, int, OrderId]] = []
        self._sells: list[tuple[float, int, OrderId]] = []

    def add(self, order: Order, *, fresh: bool) -> None:
        if fresh:
            self._fresh.append((order.seq, order))
        else:
            self._rest(order)

    def _rest(self, order: Order) -> None:
        assert order.limit_price is not None, "a market order never rests"
        limit = float(order.limit_price)
        if order.side == "buy":
            heapq.heappush(self._buys, (-limit, order.seq, order.id))
        else:
            heapq.heappush(self._sells, (limit, order.seq, order.id))

    def reach(self) -> Reach:
        while self._fresh and not self._rests(self._fresh[0][1].id):
            self._fresh.popleft()
        for heap in (self._buys, self._sells):
            while heap and not self._rests(heap[0][2]):
                heapq.heappop(heap)
        return Reach(
            bool(self._fresh),
            -self._buys[0][0] if self._buys else -math.inf,
            self._sells[0][0] if self._sells else math.inf,
        )

    def met_by(self, price: float) -> list[tuple[int, OrderId, bool]]:
        """Orders that a print may fill, as (seq, id, first print), in order of submission.

        It takes them out: `add` those that stay working again. Fresh limit orders that the
        print doesn't reach begin to rest.
        """
        met = []
        for seq, order in self._fresh:
            if not self._rests(order.id):
                continue
            limit = order.limit_price
            if limit is None or (
                price <= float(limit) if order.side == "buy" else price >= float(limit)
            ):
                met.append((seq, order.id, True))
            else:
                self._rest(order)
        self._fresh.clear()
        for heap, bound in ((self._buys, -price), (self._sells, price)):
            while heap and heap[0][0] <= bound:
                _, seq, order_id = heapq.heappop(heap)
                if self._rests(order_id):
                    met.append((seq, order_id, False))
        return sorted(met)

    def forget_prints(self, orders: list[Order]) -> None:
        """A new run begins: each of `orders` (those that work) waits for its first print again."""
        self._buys.clear()
        self._sells.clear()
        self._fresh = deque(sorted(((order.seq, order) for order in orders), key=itemgetter(0)))
