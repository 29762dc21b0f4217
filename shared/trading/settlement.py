"""What executions do to cash and positions."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.models.identifiers import Symbol
from shared.models.orders import Execution
from shared.trading.amounts import ZERO, shown
from shared.trading.changes import SplitPosition, WorkingOrder, execution_id_of
from shared.trading.corporate_actions import (
    CorporateAction,
    Split,
    price_after,
    split_holding,
    split_lots,
    split_owners,
    whole_units,
)
from shared.trading.ledger import Ledger, LedgerEntry
from shared.trading.lots import LotChanges, Lots
from shared.trading.positions import Holding, after_fill
from shared.trading.strategy_positions import StrategyPositions
from shared.trading.terms import Refused

PriceOf = Callable[[Symbol], Decimal | None]


class Settled:
    """One execution, and what it left behind."""

    __slots__ = ("entries", "execution", "holding", "lots", "strategy_holding")

    def __init__(
        self,
        execution: Execution,
        holding: Holding,
        strategy_holding: Holding,
        lots: LotChanges,
        entries: tuple[LedgerEntry, ...],
    ) -> None:
        self.execution = execution
        self.holding = holding
        #: The position of the deployment, or of what is traded by hand.
        self.strategy_holding = strategy_holding
        self.lots = lots
        self.entries = entries


class Settlement:
    """Cash, positions and the numbering of executions of one set of books."""

    def __init__(
        self,
        ledger: Ledger,
        holdings: Iterable[Holding],
        strategies: StrategyPositions,
        lots: Lots,
        execution_seq: int,
    ) -> None:
        self.ledger = ledger
        self.strategies = strategies
        self.lots = lots
        self.holdings = {holding.symbol: holding for holding in holdings}
        self._execution_seq = execution_seq

    @property
    def execution_seq(self) -> int:
        """Number of the last execution."""
        return self._execution_seq

    @property
    def cash(self) -> Decimal:
        return self.ledger.balance

    def held(self, symbol: Symbol) -> Decimal:
        """Quantity of the position in `symbol`; zero without one."""
        holding = self.holdings.get(symbol)
        return holding.qty if holding is not None else ZERO

    def price_or_cost(self, symbol: Symbol, price_of: PriceOf) -> Decimal:
        """Last price, else the average entry price; zero when there is neither."""
        price = price_of(symbol)
        if price is None and (holding := self.holdings.get(symbol)) is not None:
            return holding.avg_price
        return price or ZERO

    def worth_of(self, symbol: Symbol, price_of: PriceOf) -> Decimal:
        """Of the position in `symbol`, below zero when it is short; at its cost without a price."""
        holding = self.holdings.get(symbol)
        if holding is None or not holding.qty:
            return ZERO
        price = price_of(symbol)
        return holding.cost if price is None else holding.value(price)

    def worth(self, price_of: PriceOf) -> Decimal:
        """Equity: cash and positions."""
        return self.cash + sum((self.worth_of(each, price_of) for each in self.holdings), ZERO)

    def obstacle_to_fill(
        self, working: WorkingOrder, qty: Decimal, flow: Decimal, fee: Decimal
    ) -> Refused | None:
        """Why a fill can't be paid or delivered by a cash account. `flow` is the cash that it
        brings."""
        order = working.order
        if self.cash + flow - fee < 0:
            return Refused(
                "insufficient_cash",
                "The fill would have taken cash below zero.",
                limit=shown(self.cash),
                observed=shown(fee - flow),
            )
        held = self.held(order.symbol)
        if order.side == "sell" and held < qty:
            return Refused(
                "insufficient_position",
                "The fill would have sold more than the position.",
                limit=shown(held),
                observed=shown(qty),
            )
        return None

    def settle(
        self,
        working: WorkingOrder,
        qty: Decimal,
        price: Decimal,
        flow: Decimal,
        fee: Decimal,
        at: datetime,
    ) -> Settled:
        """Pay, deliver and number one execution. The caller takes the order to its next status."""
        order = working.order
        traded = qty if order.side == "buy" else -qty
        holding = self.holdings.get(order.symbol) or Holding(order.symbol)
        after, realized = after_fill(holding, traded, flow, fee, at)
        self.holdings[order.symbol] = after
        self._execution_seq += 1
        working.executions += 1
        execution = Execution(
            id=execution_id_of(order.id, working.executions),
            order_id=order.id,
            account_id=order.account_id,
            mode=order.mode,
            deployment_id=order.deployment_id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            fee=fee,
            realized_pnl=realized,
            seq=self._execution_seq,
            at=at,
        )
        entries = [self.ledger.enter("fill", flow, at, execution.id)]
        if fee:
            entries.append(self.ledger.enter("fee", -fee, at, execution.id))
        own = self.strategies.fill(order.deployment_id, after, traded, flow, fee, at)
        lots = self.lots.fill(order.symbol, traded, flow, price, execution.id, at)
        return Settled(execution, after, own, lots, tuple(entries))

    def split(
        self, action: CorporateAction, split: Split, last_price: Decimal | None
    ) -> tuple[SplitPosition, LedgerEntry | None] | None:
        """None when nothing is held."""
        symbol, at = action.symbol, action.effective_at
        holding, owners = self.holdings.get(symbol), self.strategies.owners(symbol)
        if holding is None or not any(each.qty for each in (holding, *owners.values())):
            return None
        price = price_after(holding.avg_price if last_price is None else last_price, split)
        qty = whole_units(Fraction(holding.qty) * split.ratio, action.lot)
        net = split_holding(holding, qty, split, price, at)
        owned = split_owners(owners, net, split, action.lot, price)
        self.holdings[symbol] = net.holding
        self.strategies.set(symbol, owned)
        lots = split_lots(self.lots.open(symbol), split, action.lot)
        self.lots.replace(symbol, lots.lots)
        entry = None
        if net.flow:
            entry = self.ledger.pay("cash_in_lieu", net.flow, at, action.entry_id)
        return SplitPosition(
            net.holding, tuple(owned.items()), tuple(lots.lots), price, lots.cost_removed
        ), entry

    def valued(self, prices: Mapping[Symbol, Decimal]) -> tuple[Decimal, Decimal]:
        """Equity and unrealised profit; a position without a price counts at its cost."""
        value = unrealized = ZERO
        for holding in self.holdings.values():
            if holding.qty:
                price = prices.get(holding.symbol)
                worth = holding.cost if price is None else holding.value(price)
                value += worth
                unrealized += worth - holding.cost
        return self.cash + value, unrealized
