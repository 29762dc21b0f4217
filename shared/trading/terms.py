"""What an order is checked against, and the answer when it can't be."""

from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.identifiers import Symbol
from shared.models.margin import MarginTerms
from shared.trading.paper_terms import PaperTerms


class Refused(msgspec.Struct, frozen=True):
    """Why not: a stable code, a sentence, and where there are such the limit and what it saw."""

    code: str
    message: str
    limit: str | None = None
    observed: str | None = None
    #: Of the risk ladder, when one of its limits says no.
    level: str | None = None


class AccountTerms(msgspec.Struct, frozen=True):
    id: UUID
    status: str
    base_currency: str
    paper_capital: Decimal
    #: Of orders from now on: each keeps the terms that it was accepted with.
    paper: PaperTerms
    #: Whose limits hold for it; None for one that nobody owns (a backtest's).
    owner_id: UUID | None = None
    #: None: a cash account.
    margin: MarginTerms | None = None


class Instrument(msgspec.Struct, frozen=True):
    symbol: Symbol
    #: MIC, or `24/7`.
    exchange: str
    currency: str
    tick_size: Decimal
    lot_size: Decimal
    tradable: bool
    #: It is easy to borrow, and so can be sold short.
    shortable: bool = True
    #: A year, on the value of what was borrowed.
    borrow_fee_bps: Decimal = Decimal(0)


class Limits(msgspec.Struct, frozen=True):
    """Bounds beyond which a number is a mistake, and the buffer for market buys."""

    max_qty: Decimal = Decimal(1_000_000_000)
    max_price: Decimal = Decimal(1_000_000_000)
    max_notional: Decimal = Decimal(1_000_000_000_000)
    #: A market buy reserves the last price plus this, because the next print is not known yet.
    reserve_buffer_bps: Decimal = Decimal(100)
    #: What a conversion of currencies costs, and how old its rate may be.
    fx_spread_bps: Decimal = Decimal(10)
    fx_rate_age_s: int = 259_200
