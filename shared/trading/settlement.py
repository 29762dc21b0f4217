"""What executions do to cash and positions."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from shared.models.cash import EntryKind
from shared.models.identifiers import Symbol
from shared.models.orders import Execution
from shared.trading.amounts import ZERO, rounded, shown
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
from shared.trading.exchange import Exchange, Purchase, cannot_pay
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
        exchange: Exchange,
    ) -> None:
        self.ledger = ledger
        self.exchange = exchange
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
        """In the account's currency."""
        return self.ledger.balance

    @property
    def has_foreign(self) -> bool:
        return bool(self.exchange.foreign or self.ledger.foreign)

    @property
    def foreign_cash(self) -> Decimal:
        """What it is worth in the account's currency."""
        held = self.ledger.foreign
        return (
            sum((self.exchange.valued(each, held[each]) for each in held), ZERO) if held else ZERO
        )

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
        """Of the position in `symbol` in the account's currency, below zero when it is short; at
        its cost without a price."""
        holding = self.holdings.get(symbol)
        if holding is None or not holding.qty:
            return ZERO
        price = price_of(symbol)
        worth = holding.cost if price is None else holding.value(price)
        return self.exchange.in_base(symbol, worth)

    def worth(self, price_of: PriceOf) -> Decimal:
        """Equity: cash and positions."""
        worths = sum((self.worth_of(each, price_of) for each in self.holdings), ZERO)
        return self.cash + self.foreign_cash + worths

    def obstacle_to_fill(
        self, working: WorkingOrder, qty: Decimal, flow: Decimal, fee: Decimal, at: datetime
    ) -> Refused | None:
        """Why a fill can't be paid or delivered by a cash account. `flow` is the cash that it
        brings."""
        order = working.order
        if order.symbol in self.exchange.foreign:
            fault = self._obstacle_abroad(order.symbol, flow - fee, at)
            if fault is not None:
                return fault
        elif self.cash + flow - fee < 0:
            return cannot_pay(self.cash, fee - flow)
        held = self.held(order.symbol)
        if order.side == "sell" and held < qty:
            return Refused(
                "insufficient_position",
                "The fill would have sold more than the position.",
                limit=shown(held),
                observed=shown(qty),
            )
        return None

    def _obstacle_abroad(self, symbol: Symbol, brought: Decimal, at: datetime) -> Refused | None:
        needed = self.missing(symbol, brought)
        if not needed:
            return None
        currency = self.exchange.foreign[symbol]
        fault = self.exchange.fault_of(currency, at)
        if fault is not None:
            return fault
        cost = self.exchange.buying(currency, needed).cost
        return cannot_pay(self.cash, cost) if cost > self.cash else None

    def missing(self, symbol: Symbol, brought: Decimal) -> Decimal:
        """Foreign cash that must be bought before it changes by `brought`."""
        return max(-(self.ledger.balance_of(self.exchange.foreign[symbol]) + brought), ZERO)

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
        currency = self.exchange.foreign.get(order.symbol) if self.exchange.foreign else None
        rate = None if currency is None else self.exchange.rate(currency)
        execution = Execution(
            execution_id_of(order.id, working.executions),
            order.id,
            order.account_id,
            order.mode,
            order.deployment_id,
            order.symbol,
            order.side,
            qty,
            price,
            fee,
            realized,
            self._execution_seq,
            at,
            rate,
            None if rate is None else rounded(realized * rate),
        )
        entries = self._enter(execution, flow, currency)
        own = self.strategies.fill(order.deployment_id, after, traded, flow, fee, at)
        lots = self.lots.fill(order.symbol, traded, flow, price, execution.id, at)
        return Settled(execution, after, own, lots, tuple(entries))

    def _enter(
        self, execution: Execution, flow: Decimal, currency: str | None
    ) -> list[LedgerEntry]:
        """What it paid or brought and its fee, after the foreign cash that had to be bought."""
        entries: list[LedgerEntry] = []
        at, rate, fee = execution.at, execution.fx_rate, execution.fee
        if currency is not None and rate is not None:
            needed = self.missing(execution.symbol, flow - fee)
            if needed:
                purchase = self.exchange.buying(currency, needed)
                entries += self.convert(purchase, at, execution.id)
            self.exchange.used[currency] = rate
        enter = self.ledger.enter
        entries.append(enter("fill", flow, at, execution.id, currency=currency, rate=rate))
        if fee:
            entries.append(enter("fee", -fee, at, execution.id, currency=currency, rate=rate))
        return entries

    def convert(
        self, purchase: Purchase, at: datetime, execution_id: UUID | None = None
    ) -> tuple[LedgerEntry, LedgerEntry]:
        """What is paid, then what is bought."""
        paid = self.ledger.enter("fx", -purchase.cost, at, execution_id, rate=purchase.rate)
        bought = self.ledger.enter(
            "fx",
            purchase.amount,
            at,
            execution_id,
            currency=purchase.currency,
            rate=purchase.rate,
        )
        return paid, bought

    def pay(
        self, symbol: Symbol, kind: EntryKind, amount: Decimal, at: datetime, entry_id: str
    ) -> list[LedgerEntry]:
        """What the platform pays on a position, or asks for, in the symbol's currency; first the
        conversion that it needs."""
        currency = self.exchange.foreign.get(symbol)
        if currency is None:
            return [self.ledger.pay(kind, amount, at, entry_id)]
        rate, needed = self.exchange.rate(currency), self.missing(symbol, amount)
        entries: list[LedgerEntry] = []
        if needed:
            entries += self.convert(self.exchange.buying(currency, needed), at)
        self.exchange.used[currency] = rate
        return [*entries, self.ledger.pay(kind, amount, at, entry_id, currency, rate)]

    def split(
        self, action: CorporateAction, split: Split, last_price: Decimal | None
    ) -> tuple[SplitPosition, list[LedgerEntry]] | None:
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
        entries: list[LedgerEntry] = []
        if net.flow:
            entries = self.pay(symbol, "cash_in_lieu", net.flow, at, action.entry_id)
        return SplitPosition(
            net.holding, tuple(owned.items()), tuple(lots.lots), price, lots.cost_removed
        ), entries

    def valued(self, prices: Mapping[Symbol, Decimal]) -> tuple[Decimal, Decimal]:
        """Equity and unrealised profit in the account's currency; a position without a
        price counts at its cost."""
        value = unrealized = ZERO
        for holding in self.holdings.values():
            if holding.qty:
                price = prices.get(holding.symbol)
                worth = holding.cost if price is None else holding.value(price)
                value += self.exchange.in_base(holding.symbol, worth)
                unrealized += self.exchange.in_base(holding.symbol, worth - holding.cost)
        return self.cash + self.foreign_cash + value, unrealized
