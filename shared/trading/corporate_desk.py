"""Carries out splits and dividends on one set of books."""

from datetime import datetime
from decimal import Decimal

from shared.trading.amounts import ZERO, exactly
from shared.trading.changes import ActionApplied, CashEntered, OrderChanged
from shared.trading.corporate_actions import CorporateAction, Dividend, Split, dividend_on
from shared.trading.ledger import LedgerEntry
from shared.trading.order_adjustments import OrderAdjustments
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused


class CorporateDesk:
    def __init__(self, settlement: Settlement, orders: OrderAdjustments) -> None:
        self._settlement = settlement
        self._orders = orders

    def concerned_by(self, action: CorporateAction) -> bool:
        """Whether something is held, or orders work, since before it. A position that was traded
        since is left as it is: nobody knows which shares are old."""
        holding = self._settlement.holdings.get(action.symbol)
        if holding is not None and holding.updated_at is not None:
            owners = self._settlement.strategies.owners(action.symbol).values()
            if any(each.qty for each in (holding, *owners)):
                return holding.updated_at < action.effective_at
        return bool(self._orders.concerned(action))

    def obstacle_to(self, action: CorporateAction) -> Refused | None:
        """Why it can't be paid in the symbol's currency."""
        exchange, currency = self._settlement.exchange, action.currency
        if currency is None or currency == exchange.base:
            return None
        exchange.foreign.setdefault(action.symbol, currency)
        if exchange.rate(currency):
            return None
        return Refused("fx_rate_missing", f"There never was a rate of {currency}.")

    @exactly
    def pay_late(
        self, action: CorporateAction, held: Decimal, execution_seq: int, at: datetime
    ) -> list[ActionApplied | CashEntered | OrderChanged]:
        """A dividend on what was held after an earlier execution. Orders stay as they are: the
        market has long taken it in."""
        settlement = self._settlement
        assert isinstance(action.terms, Dividend), "what was traded since a split is not known"
        amount = dividend_on(held, action.terms)
        entries: list[LedgerEntry] = []
        if amount:
            entries = settlement.pay(action.symbol, "dividend", amount, at, action.entry_id)
        applied = ActionApplied(
            action_id=action.id,
            symbol=action.symbol,
            execution_seq=execution_seq,
            unit=action.lot,
            qty_before=held,
            qty_after=held,
            realized_pnl=ZERO,
            cash=settlement.cash,
            attempt=action.retries,
        )
        return [applied, *(CashEntered(each) for each in entries)]

    @exactly
    def carry_out(
        self, action: CorporateAction, last_price: Decimal | None
    ) -> list[ActionApplied | CashEntered | OrderChanged]:
        """`last_price` is of before it. The caller has made sure that it comes once."""
        settlement, split = self._settlement, None
        before = settlement.held(action.symbol)
        realized = self._realized(action)
        if isinstance(action.terms, Split):
            after = settlement.split(action, action.terms, last_price)
            split, entries = (None, []) if after is None else after
        else:
            amount = dividend_on(before, action.terms)
            at, name = action.effective_at, action.entry_id
            entries = settlement.pay(action.symbol, "dividend", amount, at, name) if amount else []
        applied = ActionApplied(
            action_id=action.id,
            symbol=action.symbol,
            execution_seq=settlement.execution_seq,
            unit=action.lot,
            qty_before=before,
            qty_after=settlement.held(action.symbol),
            realized_pnl=self._realized(action) - realized,
            cash=settlement.cash,
            split=split,
            attempt=action.retries,
        )
        paid = [CashEntered(each) for each in entries]
        return [applied, *paid, *self._orders.adjust(action)]

    def _realized(self, action: CorporateAction) -> Decimal:
        holding = self._settlement.holdings.get(action.symbol)
        return ZERO if holding is None else holding.realized_pnl
