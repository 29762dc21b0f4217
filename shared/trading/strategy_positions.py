"""Positions per strategy, beside the net one: what each deployment's own executions leave.

What people trade by hand is a position of its own (`None`). Quantities of all add up to the net
one, and so does profit at any price; what of it counts as realised differs, because each has
average prices of its own.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from shared.models.identifiers import Symbol
from shared.trading.positions import Holding, after_fill

#: A deployment; None for what was traded by hand.
Owner = UUID | None


class StrategyPositions:
    def __init__(self, stored: Iterable[tuple[Owner, Holding]]) -> None:
        self._by_symbol: dict[Symbol, dict[Owner, Holding]] = {}
        for owner, holding in stored:
            self._by_symbol.setdefault(holding.symbol, {})[owner] = holding

    def items(self) -> Iterable[tuple[Owner, Holding]]:
        return [pair for owners in self._by_symbol.values() for pair in owners.items()]

    def owners(self, symbol: Symbol) -> Mapping[Owner, Holding]:
        return self._by_symbol.get(symbol, {})

    def set(self, symbol: Symbol, owners: dict[Owner, Holding]) -> None:
        self._by_symbol[symbol] = owners

    def fill(
        self, owner: Owner, net: Holding, traded: Decimal, flow: Decimal, fee: Decimal, at: datetime
    ) -> Holding:
        """The owner's position after a fill that left `net`."""
        owners = self._by_symbol.setdefault(net.symbol, {})
        alone = not owners or (len(owners) == 1 and owner in owners)
        if alone:  # as long as one alone trades the symbol, the net position is its own
            owners[owner] = net
            return net
        before = owners.get(owner) or Holding(net.symbol)
        owners[owner], _ = after_fill(before, traded, flow, fee, at)
        return owners[owner]
