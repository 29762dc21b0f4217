"""Who goes before an order that rests, where a print comes to its very limit.

`last`: all that the quote shows at that price, as if the order were always the last. `front`:
nobody. `displayed`: what the quote showed there when the order joined, less what has been traded
there since, and never more than the quote shows now: of those who leave, the ones behind the order
leave first.

Where the quote shows a price worse than the limit, nobody is before the order in any of them;
where it shows a better one, that goes first. A limit deeper than the best price joins when a print
comes to it. Without a quote the queue isn't known: `displayed` gives the first print at the limit
to those before the order, and the next ones to the order.
"""

from decimal import Decimal
from typing import NamedTuple

from shared.models.orders import Order
from shared.trading.amounts import ZERO
from shared.trading.matching import reaches
from shared.trading.paper_terms import QueueModel
from shared.trading.quotes import Touch

_ALL = Decimal("Infinity")


class Place(NamedTuple):
    #: What of the print's size goes to others first.
    before: Decimal
    #: What stands before the order from now on; None while it isn't known, or not followed.
    ahead: Decimal | None


def place_of(
    order: Order,
    model: QueueModel,
    price: Decimal | None,
    size: Decimal | None,
    touch: Touch | None,
) -> Place:
    """Of an order that rests: when a trade was printed at `price`, or the quote has changed."""
    limit = order.limit_price
    assert limit is not None, "an order without a limit never rests"
    at_limit = price == limit
    shown = None if touch is None else _shown(order, limit, touch)
    if model != "displayed":
        before = ZERO if shown is None or not at_limit else shown
        return Place(ZERO if model == "front" and before != _ALL else before, None)
    ahead = _ahead(order.queue_ahead, shown)
    if not at_limit:
        return Place(ZERO, ahead)
    if shown == _ALL:
        return Place(_ALL, ahead)
    if ahead is None:
        return Place(_ALL, ZERO) if size is None or shown is None else Place(size, ZERO)
    return Place(ahead, ahead if size is None else max(ahead - size, ZERO))


def _shown(order: Order, limit: Decimal, touch: Touch) -> Decimal:
    """On the order's own side: at its price, or none where that is better, or all where another
    price is better than its own."""
    best, size = touch.offers("sell" if order.side == "buy" else "buy")
    if best == limit:
        return size
    return ZERO if reaches(best, order.side, limit) else _ALL


def _ahead(known: Decimal | None, shown: Decimal | None) -> Decimal | None:
    """Before the print is counted. Of a price that isn't the best one nothing is shown."""
    if shown is None or shown == _ALL:
        return known
    return shown if known is None else min(known, shown)
