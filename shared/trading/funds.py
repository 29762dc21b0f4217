"""Cash that nothing keeps: of the account's currency, and of others.

Working buys keep what they cost in their own currency. What they keep beyond the cash in it is to
be bought, and so keeps some of the account's currency, at the rate of the moment.
"""

from datetime import datetime
from decimal import Decimal

from shared.models.orders import SubmitOrder
from shared.trading.amounts import ZERO, shown
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused
from shared.trading.working import WorkingOrders


class Funds:
    def __init__(self, orders: WorkingOrders, settlement: Settlement) -> None:
        self._orders = orders
        self._settlement = settlement

    @property
    def free(self) -> Decimal:
        """Of the account's currency."""
        return self._settlement.cash - self._orders.reserved_cash - self._kept_abroad()

    def free_of(self, currency: str) -> Decimal:
        """Of any; what is kept abroad may be more than there is."""
        ledger = self._settlement.ledger
        if currency == ledger.currency:
            return self.free
        kept = self._orders.reserved_foreign.get(currency, ZERO)
        return ledger.balance_of(currency) - kept

    def _kept_abroad(self, but: str | None = None) -> Decimal:
        kept = self._orders.reserved_foreign
        if not kept:
            return ZERO
        return sum((self._cost_of(each, ZERO) for each in kept if each != but), ZERO)

    def _cost_of(self, currency: str, more: Decimal) -> Decimal:
        """In the account's currency, of what is missing when orders keep so much more."""
        missing = more - self.free_of(currency)
        return self._settlement.exchange.buying(currency, missing).cost if missing > 0 else ZERO

    def obstacle_abroad(
        self, order: SubmitOrder, reserve: Decimal, freed: Decimal, at: datetime
    ) -> Refused | None:
        """Why a buy in another currency can't be kept for, when `freed` of that is not kept any
        more."""
        exchange = self._settlement.exchange
        currency = exchange.foreign[order.symbol]
        fault = exchange.fault_of(currency, at)
        if fault is not None:
            return fault
        free = self._settlement.cash - self._orders.reserved_cash - self._kept_abroad(currency)
        cost = self._cost_of(currency, reserve - freed)
        if cost <= free:
            return None
        return Refused(
            "insufficient_buying_power",
            f"The {currency} to be bought for it and for working orders cost more than is free.",
            limit=shown(free),
            observed=shown(cost),
        )
