"""The books of one account and mode: what commands, prints and time do to them.

Every method returns what changed, oldest first, as values that can be stored and published;
a refusal changes nothing. Nothing here knows of time but what it is told.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.brokers import BrokerAccount, BrokerPosition, BrokerUpdate
from shared.models.cash import ConvertCash, MoveCash
from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.margin import MarginTerms
from shared.models.risk import RiskState
from shared.trading.amounts import ZERO, exactly
from shared.trading.cash import fault_of_entry
from shared.trading.changes import (
    BrokerCompared,
    BrokerNoted,
    CashEntered,
    Change,
    Difference,
    LiveChange,
    OrderChanged,
    WorkingOrder,
)
from shared.trading.commissions import Turnover
from shared.trading.conversion import convert
from shared.trading.corporate_desk import CorporateDesk
from shared.trading.exchange import Exchange, RateOf, no_rate
from shared.trading.funds import Funds
from shared.trading.groups import Groups
from shared.trading.intake import Intake
from shared.trading.ledger import Ledger
from shared.trading.lifecycle import Lifecycle
from shared.trading.live import LiveMarket, differences_of
from shared.trading.lots import Lot, Lots
from shared.trading.margin import Margin
from shared.trading.matching import Reach
from shared.trading.order_adjustments import OrderAdjustments
from shared.trading.paper import ClosingPrice, Moment, PaperMarket
from shared.trading.position_orders import PositionOrders
from shared.trading.positions import Holding
from shared.trading.quotes import Touch
from shared.trading.replacement import Replacement
from shared.trading.requests import Requests
from shared.trading.risk_guard import RiskGuard
from shared.trading.settlement import PriceOf, Settlement
from shared.trading.strategy_positions import Owner, StrategyPositions
from shared.trading.terms import AccountTerms, Limits, Refused
from shared.trading.working import WorkingOrders, is_exit


class ForeignCash(msgspec.Struct, frozen=True):
    balance: Decimal
    #: That the books used last.
    rate: Decimal


class BooksState(msgspec.Struct):
    """What books are opened from: empty, or as they were stored."""

    cash: Decimal = ZERO
    #: Last numbers handed out.
    ledger_seq: int = 0
    order_seq: int = 0
    execution_seq: int = 0
    holdings: list[Holding] = []
    strategy_holdings: list[tuple[Owner, Holding]] = []
    #: Open ones, oldest first, and the last number handed out.
    lots: list[Lot] = []
    lot_seq: int = 0
    #: Each with whether it still waits for its first print.
    working: list[tuple[WorkingOrder, bool]] = []
    #: Calendar month of the last execution, as `month_of`, and the value traded in it.
    month: int = 0
    month_value: Decimal = ZERO
    risk: RiskState = msgspec.field(default_factory=RiskState)
    #: By currency, and the currencies of symbols that are not quoted in the account's.
    foreign_cash: dict[str, ForeignCash] = {}
    foreign: dict[Symbol, str] = {}
    #: In the account's currency, what no execution and no conversion entered; None where nothing
    #: was ever in another currency.
    entered: Decimal | None = None


@exactly
def _entered_before(state: BooksState) -> Decimal:
    if state.entered is not None:
        return state.entered
    flows = sum((each.realized_pnl - each.fees - each.cost for each in state.holdings), ZERO)
    return state.cash - flows


def _no_price(_: Symbol) -> Decimal | None:
    return None


def _no_closing(_: WorkingOrder) -> Decimal | None:
    return None


class Books:
    def __init__(
        self,
        account: AccountTerms,
        mode: Mode,
        limits: Limits,
        state: BooksState,
        price_of: PriceOf = _no_price,
        rate_of: RateOf = no_rate,
    ):
        self.mode = mode
        self._limits = limits
        ledger = Ledger(
            account.base_currency,
            state.cash,
            state.ledger_seq,
            {currency: held.balance for currency, held in state.foreign_cash.items()},
            _entered_before(state),
        )
        self._exchange = exchange = Exchange(
            account.base_currency,
            limits,
            rate_of,
            state.foreign,
            {currency: held.rate for currency, held in state.foreign_cash.items()},
        )
        self._settlement = Settlement(
            ledger,
            state.holdings,
            StrategyPositions(state.strategy_holdings),
            Lots(state.lots, state.lot_seq),
            state.execution_seq,
            exchange,
        )
        self._orders = WorkingOrders(exchange.foreign)
        self._funds = Funds(self._orders, self._settlement)
        self._lifecycle = Lifecycle(self._orders, self._settlement)
        self._groups = Groups(self._orders, self._lifecycle, self._settlement)
        turnover = Turnover(state.month, state.month_value)
        # What a live account may borrow is its broker's to say.
        margin_terms = account.margin if mode == "paper" else None
        self.margin = Margin(self._orders, self._settlement, turnover, margin_terms, price_of)
        self._requests = Requests(self._orders, self._lifecycle, self._groups, self._settlement)
        self._market = PaperMarket(
            self._orders,
            self._settlement,
            self._lifecycle,
            self._groups,
            self._requests,
            turnover,
            self.margin,
        )
        self._live = LiveMarket(self._lifecycle, self._settlement)
        self.risk = RiskGuard(self._orders, self._settlement, state.risk, price_of)
        self._intake = Intake(
            account,
            mode,
            limits,
            state.order_seq,
            self._orders,
            self._settlement,
            self._lifecycle,
            self._groups,
            turnover,
            self.margin,
            self.risk,
            self._funds,
        )
        replacement = Replacement(
            self._intake, self._lifecycle, self._groups, self._requests, self.risk
        )
        for_positions = PositionOrders(self._intake, self._orders, self._groups, self._settlement)
        adjustments = OrderAdjustments(self._orders, self._groups, self._requests, self._settlement)
        #: Splits and dividends.
        self.corporate = CorporateDesk(self._settlement, adjustments)
        #: How orders come in.
        self.submit = self._intake.submit
        self.replace = replacement.replace
        self.close = for_positions.close
        self.protect = for_positions.protect
        self.convert_position = for_positions.convert
        # Entries first, whose exits work for what they have filled.
        for working, _ in sorted(state.working, key=lambda each: is_exit(each[0].order)):
            self._groups.join(working)
        for working, fresh in state.working:
            self._orders.start(working, fresh=fresh)

    # --- reading -----------------------------------------------------------------------------

    @property
    def account(self) -> AccountTerms:
        """Replaced by the owner when the account's terms change."""
        return self._intake.account

    @account.setter
    def account(self, account: AccountTerms) -> None:
        self._intake.account = account

    @property
    def cash(self) -> Decimal:
        return self._settlement.cash

    @property
    def foreign_cash(self) -> Mapping[str, Decimal]:
        """By currency, but the account's."""
        return self._settlement.ledger.foreign

    @property
    def foreign_symbols(self) -> Mapping[Symbol, str]:
        """Symbols that are not quoted in the account's currency, with theirs."""
        return self._exchange.foreign

    def rate_of(self, currency: str) -> Decimal:
        """What one unit counts, in the account's currency."""
        return self._exchange.rate(currency)

    def rate_used(self, currency: str) -> Decimal:
        """The last one at which something was entered."""
        return self._exchange.used[currency]

    @property
    def free_cash(self) -> Decimal:
        """Cash in the account's currency, net of what working buys reserve."""
        return self._funds.free

    @property
    def is_open(self) -> bool:
        return self._settlement.ledger.seq > 0

    @property
    def working(self) -> Mapping[OrderId, WorkingOrder]:
        return self._orders.by_id

    @property
    def holdings(self) -> Mapping[Symbol, Holding]:
        return self._settlement.holdings

    @property
    def strategy_holdings(self) -> Iterable[tuple[Owner, Holding]]:
        """Positions of each deployment, and by hand (None)."""
        return self._settlement.strategies.items()

    def open_lots(self, symbol: Symbol) -> Iterable[Lot]:
        """Oldest first."""
        return self._settlement.lots.open(symbol)

    def free_qty(self, symbol: Symbol) -> Decimal:
        """Position net of working sells."""
        return self._settlement.held(symbol) - self._orders.reserved_qty(symbol)

    def reach(self, symbol: Symbol, *, regular: bool = True) -> Reach:
        """Which prints of `symbol` can matter here, in regular hours or outside of them."""
        return self._orders.reach(symbol, regular=regular)

    def next_expiry(self) -> datetime | None:
        """When the next working order ends, or what was asked of it arrives, of those that have
        such a time."""
        ending = self._orders.next_to_end()
        return None if ending is None else ending[0]

    @exactly
    def valued(self, prices: Mapping[Symbol, Decimal]) -> tuple[Decimal, Decimal]:
        """Equity and unrealised profit; a position without a price counts at its cost."""
        return self._settlement.valued(prices)

    # --- commands ----------------------------------------------------------------------------

    @exactly
    def open(self, at: datetime) -> list[Change]:
        """The first deposit, when it is missing. Live books open when the broker tells its cash."""
        if self.is_open or self.mode == "live":
            return []
        capital = self.account.paper_capital
        return [CashEntered(self._settlement.ledger.enter("deposit", capital, at))]

    @exactly
    def move_cash(self, command: MoveCash, at: datetime) -> Refused | CashEntered:
        """The caller has made sure that the entry's id is new."""
        ledger, exchange, currency = self._settlement.ledger, self._exchange, command.currency
        there, free = ledger.balance_of(currency), self._funds.free_of(currency)
        if self.margin.terms is not None:
            excess = self.margin.excess(at)
            if currency == exchange.base:
                there, free = self.margin.equity(), excess
            else:
                free = exchange.worth_of_base(currency, excess)
        fault = fault_of_entry(command, self.account, self._limits, exchange, there, free, at)
        if fault is not None:
            return fault
        rate = None if currency == exchange.base else command.rate or exchange.rate(currency)
        if rate is not None:
            exchange.used[currency] = rate
        return CashEntered(ledger.move(command, at, rate))

    @exactly
    def convert_cash(self, command: ConvertCash, at: datetime) -> Refused | list[CashEntered]:
        """What is sold, then what is bought. The caller has made sure that the name is new."""
        ledger, currency = self._settlement.ledger, command.from_currency
        free = self._funds.free_of(currency)
        if self.margin.terms is not None:  # it changes no more of the equity than the spread
            free = ledger.balance_of(currency)
        converted = convert(command, self.mode, ledger, self._exchange, self._limits, free, at)
        if isinstance(converted, Refused):
            return converted
        return [CashEntered(each) for each in converted]

    @exactly
    def carry(
        self, days: int, borrow_fees_bps: Mapping[Symbol, Decimal], at: datetime
    ) -> list[CashEntered]:
        """Pay interest and borrow fees for so many days, also with cash that isn't there."""
        ledger = self._settlement.ledger
        return [
            CashEntered(ledger.enter("interest", -amount, at, reason=reason))
            for amount, reason in self.margin.charges(borrow_fees_bps, days)
        ]

    @exactly
    def change_margin(self, terms: MarginTerms | None, at: datetime) -> Refused | None:
        """Make it an account of another kind, or other requirements; refused while positions and
        orders don't allow it."""
        if self.risk.state.margin_call is not None:
            return Refused("margin_call_open", "The account has a margin call to meet first.")
        if terms is None:
            fault = self.margin.fault_of_cash_account(self.free_cash)
        else:
            fault = self.margin.fault_of(terms, at)
        if fault is None:
            self.margin.terms = terms
            self.account = msgspec.structs.replace(self.account, margin=terms)
        return fault

    @exactly
    def ask_cancel(self, order_id: OrderId, at: datetime) -> list[OrderChanged]:
        """By the order's owner: as `cancel`, or when that has come to the market."""
        return self._requests.cancel(order_id, at)

    @exactly
    def ask_cancel_all(self, symbol: Symbol | None, at: datetime) -> list[OrderChanged]:
        """Of all working orders, or those in one symbol."""
        changes: list[OrderChanged] = []
        for each in self._orders.working_in(symbol):
            changes += self._requests.cancel(each.order.id, at)
        return changes

    @exactly
    def arrive(self, at: datetime) -> list[OrderChanged]:
        """Market time ends here: what is asked of orders and on its way is carried out."""
        return self._requests.carry_out_all(at)

    @exactly
    def cancel(self, order_id: OrderId, at: datetime) -> list[OrderChanged]:
        """At once: the order, and what of its group goes with it; none when no such order works
        here."""
        working = self._orders.by_id.get(order_id)
        return [] if working is None else self._groups.cancel(working, at)

    @exactly
    def cancel_all(
        self, symbol: Symbol | None, at: datetime, *, spare_closing: bool = False
    ) -> list[OrderChanged]:
        """All working orders, or those in one symbol, in order of submission; without those that
        close a position, if they are to be spared."""
        orders = self._orders.working_in(symbol)
        if spare_closing:
            orders = [each for each in orders if not each.order.closes_position]
        return self._groups.cancel_each(orders, at)

    # --- the broker, of live books -----------------------------------------------------------

    def want_cancel(
        self, symbol: Symbol | None, order_id: OrderId | None, *, spare_closing: bool = False
    ) -> list[BrokerNoted]:
        """Of one order, or of all, or of those in one symbol: they end when the broker says so."""
        return [
            self._live.want_cancel(each)
            for each in self._orders.working_in(symbol)
            if order_id in (None, each.order.id)
            and not (spare_closing and each.order.closes_position)
        ]

    @exactly
    def hear(
        self, order_id: OrderId, update: BrokerUpdate, at: datetime
    ) -> list[LiveChange] | Difference:
        """Of a working order."""
        return self._live.hear(self._orders.by_id[order_id], update, at)

    @exactly
    def compare(
        self, account: BrokerAccount, positions: tuple[BrokerPosition, ...], at: datetime
    ) -> list[LiveChange]:
        """With what the broker has; the first time, its cash is the first deposit."""
        changes: list[LiveChange] = []
        if not self.is_open:
            entry = self._settlement.ledger.enter("deposit", account.cash, at)
            changes.append(CashEntered(entry))
        held = {symbol: each.qty for symbol, each in self.holdings.items()}
        differences = differences_of(self.cash, held, account, positions)
        return [*changes, BrokerCompared(differences, whole=True)]

    # --- market ------------------------------------------------------------------------------

    @exactly
    def meet_print(
        self,
        symbol: Symbol,
        price: Decimal,
        at: datetime,
        size: Decimal | None = None,
        touch: Touch | None = None,
        *,
        regular: bool = True,
    ) -> list[Change]:
        """A trade was printed, in regular hours or not: fill what it fills, in order of submission.

        Without a size, it fills any quantity. `touch` is the quote that stood, where there is one.
        """
        return self._market.meet(symbol, Moment(at, price, size, touch), regular=regular)

    def open_regular_hours(self, symbol: Symbol) -> None:
        """Regular hours begin: orders that fill in them alone meet their first print in them."""
        self._orders.open_regular_hours(symbol)

    @exactly
    def halt(self, symbol: Symbol, at: datetime) -> list[OrderChanged]:
        """Trading is halted: what can't wait for it to go on ends."""
        return self._market.halt(symbol, at)

    def reopen(self, symbol: Symbol) -> None:
        """Trading goes on with the next print: it is the first one of all orders."""
        self._orders.wait_again(symbol)

    @exactly
    def end_at_once(self, taken: list[OrderChanged], at: datetime) -> list[OrderChanged]:
        """An order that was taken while its symbol is halted: one that can't wait has ended."""
        return self._market.end_at_once(taken, at)

    @exactly
    def meet_quote(
        self, symbol: Symbol, touch: Touch, at: datetime, *, regular: bool = True
    ) -> list[Change]:
        """The quote has changed: fill what takes from it, and what rests where it has come to."""
        return self._market.meet(symbol, Moment(at, None, touch=touch), regular=regular)

    @exactly
    def expire(self, now: datetime, closing_price: ClosingPrice = _no_closing) -> list[Change]:
        """End the orders whose time has come by `now`; CLS orders fill at the closing price."""
        return self._market.expire(now, closing_price)

    def forget_prints(self) -> list[Change]:
        """A new run begins: what was printed before it has no meaning for it."""
        return self._market.forget_prints()
