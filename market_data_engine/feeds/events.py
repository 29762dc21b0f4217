"""What a live feed tells, whoever the vendor is. Times are nanoseconds since the epoch, UTC."""

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class Print:
    symbol: str
    at_ns: int
    price: float
    size: float
    #: The vendor's name for it, unique for the symbol on its day; None when it gives none.
    id: str | None = None

    @property
    def is_sound(self) -> bool:
        return isfinite(self.price) and self.price > 0 and isfinite(self.size) and self.size >= 0


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and offer; a side without a quote has price and size 0."""

    symbol: str
    at_ns: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float

    @property
    def is_sound(self) -> bool:
        values = (self.bid, self.ask, self.bid_size, self.ask_size)
        return all(isfinite(value) and value >= 0 for value in values) and self.bid + self.ask > 0


@dataclass(frozen=True, slots=True)
class Cancel:
    """The print `id` never was."""

    symbol: str
    at_ns: int
    id: str


@dataclass(frozen=True, slots=True)
class Correction:
    """The print `id` was in truth `now`, which has an id of its own."""

    symbol: str
    at_ns: int
    id: str
    now: Print


FeedEvent = Print | Quote | Cancel | Correction
