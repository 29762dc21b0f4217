"""How the paper market fills the orders of an account: a document that people choose.

An order keeps the terms that it was accepted with.
"""

from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import msgspec

from shared.models.base import encode
from shared.models.orders import Side
from shared.trading.amounts import ZERO
from shared.trading.bounds import within
from shared.trading.commissions import Commission, NoCommission, PercentCommission
from shared.trading.costs import to_tick, worsened
from shared.trading.slippage import BpsSlippage, NoSlippage, Slippage, Taking

_HUNDRED = Decimal(100)
_MAX_LATENCY_MS = 10_000
_NO_TIME = timedelta()
#: Who goes before an order that rests at its limit; `queueing.py` has what they mean.
QueueModel = Literal["last", "front", "displayed"]


class PaperTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    commission: Commission = PercentCommission(Decimal(1))
    slippage: Slippage = BpsSlippage(Decimal(1))
    #: Share of each print's or quote's size that the account's orders fill together; 0: any.
    participation_percent: Decimal = ZERO
    #: Whether orders that don't say it themselves fill outside of regular hours too.
    extended_hours: bool = True
    queue: QueueModel = "last"
    #: Market time that an order takes to the market, and by how much it may take longer.
    latency_ms: int = 0
    latency_jitter_ms: int = 0

    def __post_init__(self) -> None:
        within("participation_percent", self.participation_percent, 0, 100)
        within("latency_ms", self.latency_ms, 0, _MAX_LATENCY_MS)
        within("latency_jitter_ms", self.latency_jitter_ms, 0, _MAX_LATENCY_MS)

    @property
    def has_latency(self) -> bool:
        return bool(self.latency_ms or self.latency_jitter_ms)

    def latency_of(self, order_id: UUID) -> timedelta:
        """The same for the same order, whoever asks."""
        if not self.has_latency:
            return _NO_TIME
        extra_us = order_id.int % (self.latency_jitter_ms * 1000 + 1)
        return timedelta(microseconds=self.latency_ms * 1000 + extra_us)

    def slipped(
        self,
        price: Decimal,
        side: Side,
        tick: Decimal,
        qty: Decimal,
        size: Decimal | None = None,
        spread: Decimal = ZERO,
    ) -> Decimal:
        """What an order pays or gets that takes `qty` from a market at `price`."""
        taking = Taking(price, tick, qty, size, spread)
        return worsened(price, self.slippage.shift(taking), side, tick)

    def fillable(self, size: Decimal | None, lot: Decimal) -> Decimal | None:
        """Most that can fill at a print of `size`; None for any quantity."""
        if size is None or not self.participation_percent:
            return None
        return to_tick(size * self.participation_percent / _HUNDRED, lot, ROUND_FLOOR)


#: Of a new account.
DEFAULT = PaperTerms()
#: Nothing costs anything, and every order fills whole.
FREE = PaperTerms(NoCommission(), NoSlippage())


def basis_points(fee_bps: Decimal, slippage_bps: Decimal) -> PaperTerms:
    return PaperTerms(PercentCommission(fee_bps), BpsSlippage(slippage_bps))


class BadPaperTermsError(Exception):
    """The document is not one of terms; says where and why."""


def parse_paper_terms(document: object) -> PaperTerms:
    """From what JSON decodes to. Raises BadPaperTermsError."""
    try:
        return msgspec.convert(document, PaperTerms, strict=True)
    except msgspec.ValidationError as error:
        raise BadPaperTermsError(str(error)) from error


def paper_terms_document(terms: PaperTerms) -> dict[str, Any]:
    """What `parse_paper_terms` reads: numbers that are exact are texts."""
    document: dict[str, Any] = msgspec.to_builtins(terms)
    return document


@lru_cache(maxsize=1024)
def encoded(terms: PaperTerms) -> msgspec.Raw:
    """As JSON. Many orders have the same terms."""
    return msgspec.Raw(encode(terms))
