"""What a margin account pays by the day for cash and positions that it borrowed.

Both at a 360th of the year's rate, in cents, halves up.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from shared.models.identifiers import Symbol
from shared.models.margin import MarginTerms
from shared.trading.amounts import BASIS_POINTS, ZERO, to_cents
from shared.trading.settlement import PriceOf, Settlement

_DAYS = Decimal(360)


def charges(
    settlement: Settlement,
    terms: MarginTerms,
    borrow_fees_bps: Mapping[Symbol, Decimal],
    price_of: PriceOf,
    days: int,
) -> Iterator[tuple[Decimal, str]]:
    """Amounts above zero, with their reasons. Shorts count at last prices, at cost without one."""
    span = "1 day" if days == 1 else f"{days} days"
    debt = max(-settlement.cash, ZERO)
    interest = to_cents(debt * terms.interest_bps * days / BASIS_POINTS / _DAYS)
    if interest:
        yield interest, f"Interest on borrowed cash, {span}"
    fees = ZERO
    for symbol, holding in settlement.holdings.items():
        if holding.qty < 0:
            worth = -settlement.worth_of(symbol, price_of)
            fees += worth * borrow_fees_bps.get(symbol, ZERO)
    fee = to_cents(fees * days / BASIS_POINTS / _DAYS)
    if fee:
        yield fee, f"Fee for borrowed positions, {span}"
