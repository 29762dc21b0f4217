"""Paper fills: when and at what price an order meets the prints of its symbol.

A market order fills at the first print, worsened by slippage. A limit order fills at the
first print at or through its limit: at the print's price (worsened by slippage, never beyond
the limit) when that is the first print it sees, else at its limit, because it was resting there
when the market came to it. Where the account's terms allow only a share of each print, the rest
of the order goes on working: one without a limit fills at the next prints likewise.

Where a quote stands (`quotes.py`), what takes from the market takes from it: a market order, a
limit order that is marketable when it comes, a stop that was triggered get the ask or the bid, and
need no print for it: a quote will do. A limit order that rests fills at prints as without quotes,
and when the other side of the quote comes to its limit.

A stop is triggered by the first print at or through it, and that print is the first one of the
order that it then is: a stop fills there like a market order, also when the print is far beyond
the stop; a stop-limit fills there like a limit order, or rests at its limit from then on. A
trailing stop's mark is the best price since it was taken (the last price then, and every print
since); its stop keeps the distance from the mark.

An order for an auction fills at the auction's print, at its very price, or ends with it.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

import msgspec

from shared.models.identifiers import OrderId
from shared.models.orders import Order, OrderType, Side
from shared.trading.amounts import ZERO, rounded
from shared.trading.changes import WorkingOrder
from shared.trading.costs import to_tick
from shared.trading.hours import AUCTIONS
from shared.trading.tickets import ONE_PRINT

_STOPS: frozenset[OrderType] = frozenset({"stop", "stop_limit", "trailing_stop"})


def fill_price(
    working: WorkingOrder,
    print_price: Decimal,
    qty: Decimal,
    size: Decimal | None,
    *,
    first_print: bool,
    spread: Decimal = ZERO,
) -> Decimal:
    """The price at which `qty` of the order fills at a price of the market that reaches it."""
    order = working.order
    if order.time_in_force in AUCTIONS:
        return print_price  # everybody's price
    if order.limit_price is not None and not first_print:
        return order.limit_price
    slipped = working.terms.slipped(print_price, order.side, working.tick, qty, size, spread)
    if order.limit_price is None:
        return slipped
    best = min if order.side == "buy" else max
    return best(slipped, order.limit_price)


def reached(order: Order, print_price: Decimal) -> bool:
    """Whether a print is at or through the limit; one without a limit is reached by any."""
    return order.limit_price is None or reaches(print_price, order.side, order.limit_price)


def reaches(print_price: Decimal, side: Side, limit: Decimal) -> bool:
    return print_price <= limit if side == "buy" else print_price >= limit


# --- stops ---------------------------------------------------------------------------------------


def awaits_trigger(order: Order) -> bool:
    return order.type in _STOPS and order.triggered_at is None


def triggers(order: Order, print_price: Decimal) -> bool:
    """Whether a print reaches the stop. One that moves a trailing stop's mark never does."""
    if order.stop_price is None or trailed(order, print_price):
        return False
    if order.side == "buy":
        return print_price >= order.stop_price
    return print_price <= order.stop_price


def trailed(order: Order, print_price: Decimal) -> bool:
    """Whether a print moves the mark of a trailing stop."""
    if order.type != "trailing_stop":
        return False
    if order.hwm is None:
        return True
    return print_price < order.hwm if order.side == "buy" else print_price > order.hwm


def with_mark(order: Order, price: Decimal | None, tick: Decimal) -> Order:
    """A trailing stop whose mark is `price`; None: it has no mark until the next print."""
    mark = None if price is None else rounded(price)
    stop = None
    if mark is not None:
        stop = trailed_stop(order.side, mark, order.trail_price, order.trail_percent, tick)
    return msgspec.structs.replace(order, hwm=mark, stop_price=stop)


def trailed_stop(
    side: Side,
    mark: Decimal,
    trail_price: Decimal | None,
    trail_percent: Decimal | None,
    tick: Decimal,
) -> Decimal:
    """The stop at its distance from the mark: on the tick grid, not nearer, at least one tick."""
    distance = trail_price
    if distance is None:
        assert trail_percent is not None, "a trailing stop has a distance"
        distance = mark * trail_percent / 100
    if side == "buy":
        return to_tick(mark + distance, tick, ROUND_CEILING)
    return max(to_tick(mark - distance, tick, ROUND_FLOOR), tick)


# --- who is met by a print -----------------------------------------------------------------------


class Reach(NamedTuple):
    """Which prints can matter to the working orders of a symbol.

    Bounds are the floats nearest to the exact prices. Rounding keeps order, so that a print that
    reaches a price exactly is never missed; one that only seems to is sorted out exactly later.
    """

    #: An order waits for its first print: any print matters.
    fresh: bool = False
    #: Prints at or below: limits to buy, stops to sell.
    falling_to: float = -math.inf
    #: Prints at or above: limits to sell, stops to buy.
    rising_to: float = math.inf

    def combined(self, other: "Reach") -> "Reach":
        return Reach(
            self.fresh or other.fresh,
            max(self.falling_to, other.falling_to),
            min(self.rising_to, other.rising_to),
        )

    def takes_in_quote(self, bid: float, ask: float) -> bool:
        return self.fresh or ask <= self.falling_to or bid >= self.rising_to

    def takes_in(self, price: float) -> bool:
        return self.fresh or price <= self.falling_to or price >= self.rising_to


NOTHING_WORKS = Reach()
#: An order waits for its first print: bounds say nothing more.
ANYTHING = Reach(fresh=True)


class OrderQueue:
    """Working orders of one symbol. A print costs nothing for orders that it doesn't reach.

    The owner tells which orders still rest; those that went away are dropped when they come up.
    """

    def __init__(self, rests: Callable[[OrderId], bool]) -> None:
        self._rests = rests
        #: Waiting for their first print, in order of submission; and what is left of orders that
        #: any print fills.
        self._fresh: deque[tuple[int, WorkingOrder]] = deque()
        #: Met by prints at or below their price, highest first, and at or above it, lowest
        #: first: (key, seq, id). An order is in one of them at most.
        self._falling: list[tuple[float, int, OrderId]] = []
        self._rising: list[tuple[float, int, OrderId]] = []
        #: Trailing stops are met from both sides, and their prices move.
        self._trailing: dict[OrderId, tuple[int, Reach]] = {}

    def add(self, working: WorkingOrder, *, fresh: bool) -> None:
        order = working.order
        if awaits_trigger(order) and not (fresh and working.latency):
            self._wait_for_trigger(order)
        elif fresh or order.limit_price is None:
            self._fresh.append((order.seq, working))
        else:
            self._rest(order)

    def _rest(self, order: Order) -> None:
        assert order.limit_price is not None, "a market order never rests"
        self._push(order, order.limit_price, falling=order.side == "buy")

    def _wait_for_trigger(self, order: Order) -> None:
        if order.type == "trailing_stop":
            self._trailing[order.id] = (order.seq, _trailing_reach(order))
            return
        assert order.stop_price is not None, "a stop has its price"
        self._push(order, order.stop_price, falling=order.side == "sell")

    def _push(self, order: Order, price: Decimal, *, falling: bool) -> None:
        if falling:
            heapq.heappush(self._falling, (-float(price), order.seq, order.id))
        else:
            heapq.heappush(self._rising, (float(price), order.seq, order.id))

    def reach(self) -> Reach:
        while self._fresh and not self._rests(self._fresh[0][1].order.id):
            self._fresh.popleft()
        if self._fresh:
            return ANYTHING
        for heap in (self._falling, self._rising):
            while heap and not self._rests(heap[0][2]):
                heapq.heappop(heap)
        reach = Reach(
            False,
            -self._falling[0][0] if self._falling else -math.inf,
            self._rising[0][0] if self._rising else math.inf,
        )
        if self._trailing:
            self._drop_trailing_that_left()
            for _, each in self._trailing.values():
                reach = reach.combined(each)
        return reach

    def _drop_trailing_that_left(self) -> None:
        for order_id in [each for each in self._trailing if not self._rests(each)]:
            del self._trailing[order_id]

    def met_by(
        self, price: float | None, touch: tuple[float, float] | None, at: datetime
    ) -> list[tuple[int, OrderId, bool]]:
        """Orders that a print may fill or move, as (seq, id, first print), in order of submission.

        `touch` is the bid and ask that stand; without a price, only these have changed. It takes
        them out: `add` those that stay working again. Fresh limit orders that it doesn't reach
        begin to rest; those that are on their way stay fresh.
        """
        falling_to, rising_to = _bounds(price, touch)
        met: list[tuple[int, OrderId, bool]] = []
        if self._fresh:
            met = self._fresh_met_by(touch or (rising_to, falling_to), at)
        for heap, bound in ((self._falling, -falling_to), (self._rising, rising_to)):
            while heap and heap[0][0] <= bound:
                _, seq, order_id = heapq.heappop(heap)
                if self._rests(order_id):
                    met.append((seq, order_id, False))
        if self._trailing and price is not None:
            met += self._trailing_met_by(price)
        return sorted(met) if len(met) > 1 else met

    def _fresh_met_by(
        self, takes_at: tuple[float, float], at: datetime
    ) -> list[tuple[int, OrderId, bool]]:
        met: list[tuple[int, OrderId, bool]] = []
        fresh, self._fresh = self._fresh, deque()
        for seq, working in fresh:
            order, limit = working.order, working.order.limit_price
            if not self._rests(order.id):
                continue
            if working.on_its_way(at):
                self._fresh.append((seq, working))
            elif awaits_trigger(order):
                self._wait_for_trigger(order)
            elif (
                limit is None
                or order.time_in_force in ONE_PRINT
                or (
                    takes_at[1] <= float(limit)
                    if order.side == "buy"
                    else takes_at[0] >= float(limit)
                )
            ):
                met.append((seq, order.id, True))
            elif working.terms.queue == "displayed":
                met.append((seq, order.id, False))  # it takes its place, wherever the print was
            else:
                self._rest(order)
        return met

    def _trailing_met_by(self, price: float) -> list[tuple[int, OrderId, bool]]:
        met = []
        self._drop_trailing_that_left()
        for order_id, (seq, reach) in list(self._trailing.items()):
            if reach.takes_in(price):
                del self._trailing[order_id]
                met.append((seq, order_id, False))
        return met

    def forget_prints(self, orders: Sequence[WorkingOrder]) -> None:
        """A new run begins: each of `orders` (those that work) waits for its first print again."""
        self._falling.clear()
        self._rising.clear()
        self._trailing.clear()
        self._fresh.clear()
        for working in sorted(orders, key=lambda each: each.order.seq):
            self.add(working, fresh=True)


def _bounds(price: float | None, touch: tuple[float, float] | None) -> tuple[float, float]:
    """What orders that rest are met at: the print, or the other side of the quote."""
    if price is not None:
        return price, price
    assert touch is not None, "it is a print or a quote"
    bid, ask = touch
    return ask, bid


def _trailing_reach(order: Order) -> Reach:
    """Its stop on one side; on the other every price better than its mark."""
    if order.hwm is None or order.stop_price is None:
        return ANYTHING
    mark, stop = float(order.hwm), float(order.stop_price)
    if order.side == "buy":
        return Reach(falling_to=math.nextafter(mark, -math.inf), rising_to=stop)
    return Reach(falling_to=stop, rising_to=math.nextafter(mark, math.inf))
