"""The books of one account and mode: what commands, prints and time do to them.

Every method returns what changed, oldest first, as values that can be stored and published;
a refusal changes nothing. Nothing here knows of time but what it is told.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.orders import ClosePositions, Order, ReplaceOrder, SubmitOrder
from shared.trading.amounts import ZERO, exactly
from shared.trading.changes import Change, Deposited, OrderChanged, WorkingOrder
from shared.trading.checks import fault_of, obstacle_to, reserve_for
from shared.trading.commissions import Turnover
from shared.trading.drafts import closing, new_order, revision, successor
from shared.trading.ledger import Ledger
from shared.trading.lifecycle import Lifecycle
from shared.trading.matching import Reach
from shared.trading.paper import PaperMarket, Print
from shared.trading.positions import Holding
from shared.trading.settlement import Settlement
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused
from shared.trading.working import WorkingOrders


class BooksState(msgspec.Struct):
    """What books are opened from: empty, or as they were stored."""

    cash: Decimal = ZERO
    #: Last numbers handed out.
    ledger_seq: int = 0
    order_seq: int = 0
    execution_seq: int = 0
    holdings: list[Holding] = []
    #: Each with whether it still waits for its first print.
    working: list[tuple[WorkingOrder, bool]] = []
    #: Calendar month of the last execution, as `month_of`, and the value traded in it.
    month: int = 0
    month_value: Decimal = ZERO


class Books:
    def __init__(self, account: AccountTerms, mode: Mode, limits: Limits, state: BooksState):
        #: Replaced by the owner when the account's terms change.
        self.account = account
        self.mode = mode
        self._limits = limits
        self._order_seq = state.order_seq
        ledger = Ledger(account.base_currency, state.cash, state.ledger_seq)
        self._settlement = Settlement(ledger, state.holdings, state.execution_seq)
        self._orders = WorkingOrders()
        self._lifecycle = Lifecycle(self._orders, self._settlement)
        self._market = PaperMarket(
            self._orders,
            self._settlement,
            self._lifecycle,
            Turnover(state.month, state.month_value),
        )
        for working, fresh in state.working:
            self._orders.start(working, fresh=fresh)

    # --- reading -----------------------------------------------------------------------------

    @property
    def cash(self) -> Decimal:
        return self._settlement.cash

    @property
    def free_cash(self) -> Decimal:
        """Cash net of what working buys reserve."""
        return self.cash - self._orders.reserved_cash

    @property
    def is_open(self) -> bool:
        return self._settlement.ledger.seq > 0

    @property
    def working(self) -> Mapping[OrderId, WorkingOrder]:
        return self._orders.by_id

    @property
    def holdings(self) -> Mapping[Symbol, Holding]:
        return self._settlement.holdings

    def free_qty(self, symbol: Symbol) -> Decimal:
        """Position net of working sells."""
        return self._settlement.held(symbol) - self._orders.reserved_qty(symbol)

    def reach(self, symbol: Symbol) -> Reach:
        """Which prints of `symbol` can matter here."""
        return self._orders.reach(symbol)

    def next_expiry(self) -> datetime | None:
        """When the next working DAY or GTD order ends."""
        due = self._orders.next_to_end()
        return None if due is None else due.order.expires_at

    @exactly
    def valued(self, prices: Mapping[Symbol, Decimal]) -> tuple[Decimal, Decimal]:
        """Equity and unrealised profit; a position without a price counts at its cost."""
        return self._settlement.valued(prices)

    # --- commands ----------------------------------------------------------------------------

    @exactly
    def open(self, at: datetime) -> list[Change]:
        """The first deposit, when it is missing."""
        if self.is_open:
            return []
        capital = self.account.paper_capital if self.mode == "paper" else ZERO
        return [Deposited(self._settlement.ledger.enter("deposit", capital, at))]

    @exactly
    def submit(
        self,
        command: SubmitOrder,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
        session_close: datetime | None,
        *,
        time_known: bool = True,
    ) -> Refused | OrderChanged:
        """Take the order, or store it as rejected; refused when the command itself is wrong.

        The caller has made sure that the client order id is new. `time_known` is False in a
        paced run before its first print: `at` is not market time then.
        """
        fault = fault_of(
            command,
            self.account,
            instrument,
            self._limits,
            session_close,
            at if time_known else None,
        )
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        reserve, obstacle = self._weigh(command, tick, last_price, at)
        ends = session_close if command.time_in_force == "day" else command.expires_at
        ends = None if ends is None else ends.astimezone(UTC)
        new = self._number(command, at, ends, last_price, tick)
        return self._begin(new, instrument, reserve, obstacle, tape_id, at)

    @exactly
    def replace(
        self,
        working: WorkingOrder,
        command: ReplaceOrder,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
    ) -> Refused | list[OrderChanged]:
        """Both orders, the new one last; when it is rejected, that one alone.

        The old order goes on working when the new one is refused or rejected. What the old one
        reserved counts as free for the new one.
        """
        old = working.order
        draft = revision(old, command)
        if isinstance(draft, Refused):
            return draft
        fault = fault_of(draft, self.account, instrument, self._limits, None, at)
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        reserve, obstacle = self._weigh(draft, tick, last_price, at, freed=[working])
        new = successor(self._number(draft, at, None, last_price, tick), old, tick)
        if obstacle is not None:
            return [self._begin(new, instrument, reserve, obstacle, tape_id, at)]
        replaced = self._lifecycle.end(working, "replace", at)
        working.order = msgspec.structs.replace(working.order, replaced_by=new.id)
        ended = msgspec.structs.replace(replaced, order=working.order)
        return [ended, self._begin(new, instrument, reserve, None, tape_id, at)]

    @exactly
    def close(
        self,
        symbol: Symbol,
        command: ClosePositions,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
    ) -> Refused | list[OrderChanged]:
        """The orders that were cancelled for it, then the order that closes the position.

        When that is refused or rejected, nothing is cancelled.
        """
        holding = self._settlement.holdings.get(symbol)
        if holding is None or holding.qty <= 0:
            return Refused("position_not_open", f"There is no position in {symbol}.")
        draft = closing(holding, command)
        fault = fault_of(draft, self.account, instrument, self._limits, None, at)
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        freed = self._orders.working_in(symbol) if command.cancel_orders else []
        reserve, obstacle = self._weigh(draft, tick, last_price, at, freed=freed)
        ended = [] if obstacle else [self._lifecycle.end(each, "cancel", at) for each in freed]
        new = self._number(draft, at, None, last_price, tick)
        new = msgspec.structs.replace(new, closes_position=True)
        return [*ended, self._begin(new, instrument, reserve, obstacle, tape_id, at)]

    def _weigh(
        self,
        command: SubmitOrder,
        tick: Decimal,
        last_price: Decimal | None,
        at: datetime,
        freed: Sequence[WorkingOrder] = (),
    ) -> tuple[Decimal, Refused | None]:
        """What the order reserves, and what forbids it, when `freed` no longer work."""
        reserve = reserve_for(
            command,
            self.account.paper,
            tick,
            last_price,
            self._limits,
            self._market.turnover.at(at),
        )
        selling = [each.left for each in freed if each.order.side == "sell"]
        obstacle = obstacle_to(
            command,
            last_price=last_price,
            reserve=reserve,
            free_cash=self.free_cash + sum((each.reserved for each in freed), ZERO),
            free_qty=self.free_qty(command.symbol) + sum(selling, ZERO),
            limits=self._limits,
        )
        return reserve, obstacle

    def _number(
        self,
        command: SubmitOrder,
        at: datetime,
        ends: datetime | None,
        last_price: Decimal | None,
        tick: Decimal,
    ) -> Order:
        self._order_seq += 1
        return new_order(command, self._order_seq, at, ends, last_price, tick)

    def _begin(
        self,
        new: Order,
        instrument: Instrument,
        reserve: Decimal,
        obstacle: Refused | None,
        tape_id: str,
        at: datetime,
    ) -> OrderChanged:
        terms = self.account.paper
        return self._lifecycle.begin(new, instrument, terms, reserve, obstacle, tape_id, at)

    @exactly
    def cancel(self, order_id: OrderId, at: datetime) -> OrderChanged | None:
        """None when no such order works here."""
        working = self._orders.by_id.get(order_id)
        return None if working is None else self._lifecycle.end(working, "cancel", at)

    @exactly
    def cancel_all(self, symbol: Symbol | None, at: datetime) -> list[OrderChanged]:
        """All working orders, or those in one symbol, in order of submission."""
        return [self._lifecycle.end(each, "cancel", at) for each in self._orders.working_in(symbol)]

    # --- market ------------------------------------------------------------------------------

    @exactly
    def meet_print(
        self, symbol: Symbol, price: Decimal, at: datetime, size: Decimal | None = None
    ) -> list[Change]:
        """A trade was printed: fill what it fills, in order of submission.

        Without a size, it fills any quantity.
        """
        return self._market.meet_print(symbol, Print(price, size, at))

    @exactly
    def expire(self, now: datetime) -> list[Change]:
        """End the DAY and GTD orders whose time has come by `now`."""
        return self._market.expire(now)

    def forget_prints(self) -> list[Change]:
        """A new run begins: what was printed before it has no meaning for it."""
        return self._market.forget_prints()
