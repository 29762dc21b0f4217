"""How much of which position is closed when a margin call was not met. See docs/margin.md."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from shared.models.identifiers import Symbol
from shared.trading.amounts import ZERO, exactly
from shared.trading.costs import to_tick
from shared.trading.margin import Margin
from shared.trading.positions import Holding

_HUNDRED = Decimal(100)


@exactly
def closings(
    margin: Margin,
    holdings: Mapping[Symbol, Holding],
    lots: Mapping[Symbol, Decimal],
    buffer_percent: Decimal,
) -> list[tuple[Symbol, Decimal]]:
    """What to close, the largest requirement first, until equity is the maintenance requirement
    and the buffer; everything when there is no equity. `lots` has the symbols that can be closed
    now, with their lot sizes."""
    equity, required = margin.equity(), margin.maintenance()
    target = equity / (1 + buffer_percent / _HUNDRED)
    left = required if equity <= 0 else required - target
    chosen: list[tuple[Symbol, Decimal]] = []
    by_size = sorted(
        ((margin.maintenance_of(symbol), symbol) for symbol in lots),
        key=lambda each: (-each[0], each[1]),
    )
    for requirement, symbol in by_size:
        held = abs(holdings[symbol].qty)
        if left <= 0 and equity > 0:
            break
        qty = held
        if equity > 0 and left < requirement:
            wanted = to_tick(held * max(left, ZERO) / requirement, lots[symbol], ROUND_CEILING)
            qty = min(held, wanted)
        chosen.append((symbol, qty))
        left -= requirement
    return chosen
