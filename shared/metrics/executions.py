"""What the metrics need to know of an execution."""

from decimal import Decimal
from typing import NamedTuple


class Fill(NamedTuple):
    """One execution. Fills are in the order in which they happened (`seq`), not by `at_us`:
    the same market period can be replayed twice on one account."""

    symbol: str
    #: Signed: below zero for a sell.
    qty: Decimal
    price: Decimal
    fee: Decimal
    #: Profit that it realised over the average entry price, fee not included.
    realized_pnl: Decimal
    #: Market time, microseconds since the epoch.
    at_us: int


class CashMove(NamedTuple):
    """Cash that no execution moved, in the order in which it happened among the fills."""

    #: Below zero when it left.
    amount: Decimal
    at_us: int
    #: Paid in or taken out by the owner: that is no profit. Else it is (interest, say).
    is_flow: bool


class SplitMove(NamedTuple):
    """A split left a position of `qty` shares, worth `price` each until they trade."""

    symbol: str
    qty: Decimal
    price: Decimal
    #: Of what was paid for in cash.
    realized_pnl: Decimal
    at_us: int


class Point(NamedTuple):
    at_us: int
    equity: Decimal
