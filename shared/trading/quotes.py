"""What stands in the book: the best bid and offer that orders can take from."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from shared.models.orders import Side
from shared.trading.amounts import measured, measured_size

#: Market time after which a quote that nothing has confirmed says nothing any more.
FRESH_NS = 60_000_000_000
#: Numbers beyond are a mistake of the source.
_MAX_PRICE = 1e9
_MAX_SIZE = 1e15


class Touch(NamedTuple):
    """The best bid and offer of a moment, exact."""

    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal

    @property
    def spread(self) -> Decimal:
        return self.ask - self.bid

    def offers(self, side: Side) -> tuple[Decimal, Decimal]:
        """Price and size that an order of `side` can take."""
        return (self.ask, self.ask_size) if side == "buy" else (self.bid, self.bid_size)


class Quote(msgspec.Struct, frozen=True):
    """As it was told. Only one that `counts` stands."""

    bid: float
    ask: float
    bid_size: float
    ask_size: float
    at_ns: int

    @property
    def counts(self) -> bool:
        """It has both sides, isn't crossed, and its numbers are such (NaN compares as false)."""
        sizes = 0 <= self.bid_size < _MAX_SIZE and 0 <= self.ask_size < _MAX_SIZE
        return sizes and 0 < self.bid <= self.ask < _MAX_PRICE

    def touch_at(self, at_ns: int) -> Touch | None:
        """What can be taken at that moment; None when it is too old by then."""
        if at_ns - self.at_ns > FRESH_NS:
            return None
        return Touch(
            measured(self.bid),
            measured(self.ask),
            measured_size(self.bid_size),
            measured_size(self.ask_size),
        )
