"""Slippage models: how much worse than the market an order fills that takes from it.

What an order gets that rested at its limit is never slipped.
"""

from decimal import Decimal

import msgspec

from shared.trading.amounts import BASIS_POINTS, ZERO
from shared.trading.bounds import within


class Taking(msgspec.Struct, frozen=True):
    """What is taken from the market, at which price."""

    price: Decimal
    tick: Decimal
    qty: Decimal
    #: Of the print or the quote; None while it isn't known.
    size: Decimal | None = None
    #: Between bid and ask; zero where there is no quote.
    spread: Decimal = ZERO


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="model"):
    pass


class NoSlippage(_Model, frozen=True, tag="none"):
    def shift(self, _taking: Taking) -> Decimal:
        return ZERO


class BpsSlippage(_Model, frozen=True, tag="bps"):
    """Basis points of price."""

    bps: Decimal

    def __post_init__(self) -> None:
        within("bps", self.bps, 0, 10_000)

    def shift(self, taking: Taking) -> Decimal:
        return taking.price * self.bps / BASIS_POINTS


class TickSlippage(_Model, frozen=True, tag="ticks"):
    ticks: int

    def __post_init__(self) -> None:
        within("ticks", self.ticks, 0, 1000)

    def shift(self, taking: Taking) -> Decimal:
        return taking.tick * self.ticks


class SquareRootSlippage(_Model, frozen=True, tag="square_root"):
    """Basis points of price, times the square root of the quantity over the print's size: the
    square-root law of market impact, with the print for the volume. As much as `bps` when the
    quantity is the print's size, or the size isn't known."""

    bps: Decimal

    def __post_init__(self) -> None:
        within("bps", self.bps, 0, 10_000)

    def shift(self, taking: Taking) -> Decimal:
        full = taking.price * self.bps / BASIS_POINTS
        if not taking.size:
            return full
        return full * (taking.qty / taking.size).sqrt()


class SpreadSlippage(_Model, frozen=True, tag="spread"):
    """Percent of the quote's spread. Nothing without a quote."""

    percent: Decimal

    def __post_init__(self) -> None:
        within("percent", self.percent, 0, 100)

    def shift(self, taking: Taking) -> Decimal:
        return taking.spread * self.percent / 100


Slippage = NoSlippage | BpsSlippage | TickSlippage | SquareRootSlippage | SpreadSlippage
