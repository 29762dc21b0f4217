"""The books of one account and mode: what commands, prints and time do to them.

Every method returns what changed, oldest first, as values that can be stored and published;
a refusal changes nothing. Nothing here knows of time but what it is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from shared.models.cash import MoveCash
from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.margin import MarginTerms
from shared.models.orders import (
    ClosePositions,
    Order,
    ProtectPosition,
    ReplaceOrder,
    SubmitOrder,
)
from shared.models.risk import RiskState
from shared.trading.amounts import ZERO, exactly
from shared.trading.cash import fault_of_entry
from shared.trading.changes import CashEntered, Change, OrderChanged, WorkingOrder
from shared.trading.checks import (
    cash_obstacle_to,
    fault_of,
    market_obstacle_to,
    reserve_for,
)
from shared.trading.classes import Part, class_fault, exits_fault, of_leg, parts_of
from shared.trading.commissions import Turnover
from shared.trading.drafts import closing, new_order, revision, successor
from shared.trading.groups import Groups
from shared.trading.hours import Hours, auction_fault, in_extended_hours, may_leave_regular_hours
from shared.trading.ledger import Ledger
from shared.trading.lifecycle import Lifecycle
from shared.trading.lots import Lot, Lots
from shared.trading.margin import Margin, value_at_worst
from shared.trading.matching import Reach
from shared.trading.notional import sized
from shared.trading.paper import ClosingPrice, Moment, PaperMarket
from shared.trading.positions import Holding
from shared.trading.protection import exits_of
from shared.trading.quotes import Touch
from shared.trading.risk_guard import RiskGuard
from shared.trading.settlement import PriceOf, Settlement
from shared.trading.strategy_positions import Owner, StrategyPositions
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused
from shared.trading.working import WorkingOrders, is_exit


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
    ):
        #: Replaced by the owner when the account's terms change.
        self.account = account
        self.mode = mode
        self._limits = limits
        self._order_seq = state.order_seq
        ledger = Ledger(account.base_currency, state.cash, state.ledger_seq)
        self._settlement = Settlement(
            ledger,
            state.holdings,
            StrategyPositions(state.strategy_holdings),
            Lots(state.lots, state.lot_seq),
            state.execution_seq,
        )
        self._orders = WorkingOrders()
        self._lifecycle = Lifecycle(self._orders, self._settlement)
        self._groups = Groups(self._orders, self._lifecycle, self._settlement)
        turnover = Turnover(state.month, state.month_value)
        self.margin = Margin(self._orders, self._settlement, turnover, account.margin, price_of)
        self._market = PaperMarket(
            self._orders, self._settlement, self._lifecycle, self._groups, turnover, self.margin
        )
        self.risk = RiskGuard(self._orders, self._settlement, state.risk, price_of)
        # Entries first, whose exits work for what they have filled.
        for working, _ in sorted(state.working, key=lambda each: is_exit(each[0].order)):
            self._groups.join(working)
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
        """When the next working order ends, of those that have an end."""
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
        return [CashEntered(self._settlement.ledger.enter("deposit", capital, at))]

    @exactly
    def move_cash(self, command: MoveCash, at: datetime) -> Refused | CashEntered:
        """The caller has made sure that the entry's id is new."""
        there, free = self.cash, self.free_cash
        if self.margin.terms is not None:
            there, free = self.margin.equity(), self.margin.excess(at)
        fault = fault_of_entry(command, self.account, self._limits, there, free)
        if fault is not None:
            return fault
        return CashEntered(self._settlement.ledger.move(command, at))

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
    def submit(
        self,
        command: SubmitOrder,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
        hours: Hours | None,
        *,
        time_known: bool = True,
    ) -> Refused | list[OrderChanged]:
        """Take the order with its exits, or store them as rejected; refused when the command
        itself is wrong. The order that the command names comes first.

        The caller has made sure that the client order ids are new. `hours` are the exchange's, None
        when they aren't known. `time_known` is False in a
        paced run before its first print: `at` is not market time then.
        """
        fault = class_fault(command)
        if fault is not None:
            return fault
        if command.notional is not None:
            order = sized(command, instrument, last_price, self._limits)
            if isinstance(order, Refused):
                return order
            command = order
        simple = command.order_class == "simple"
        parts: Sequence[Part] = [(None, command)] if simple else parts_of(command)
        now = at if time_known else None
        for role, part in parts:
            fault = fault_of(part, self.account, instrument, self._limits, hours, now)
            if fault is not None:
                return of_leg(fault, role)
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        ends = self._end_of(command, hours)
        fault = None
        if not simple:
            fault = exits_fault({role: part for role, part in parts if role is not None})
        fault = fault or self.risk.rate_fault(command, at)
        if fault is not None:
            return fault
        extended = may_leave_regular_hours(self._extended(command), hours)
        if not simple:
            return self._begin_group(
                parts, instrument, last_price, at, ends, tape_id, extended=extended
            )
        reserve, obstacle = self._weigh(command, instrument, last_price, at, extended=extended)
        new = self._number(command, at, ends, last_price, tick)
        return [self._begin(new, instrument, reserve, obstacle, tape_id, at)]

    def _begin_group(
        self,
        parts: Sequence[Part],
        instrument: Instrument,
        last_price: Decimal | None,
        at: datetime,
        ends: datetime | None,
        tape_id: str,
        *,
        extended: bool,
    ) -> list[OrderChanged]:
        """All of them, or all rejected for what forbids one that is to work at once."""
        tick = instrument.tick_size
        guarded = parts[0][0] == "entry"
        weighed = [
            self._weigh(
                part, instrument, last_price, at, must_reduce=role != "entry", extended=extended
            )
            for role, part in parts
        ]
        at_once = weighed[:1] if guarded else weighed
        obstacle = next((why for _, why in at_once if why is not None), None)
        changes: list[OrderChanged] = []
        group_id: OrderId | None = None
        for (role, part), (reserve, _) in zip(parts, weighed, strict=True):
            held = guarded and role != "entry"
            new = self._number(part, at, ends, None if held else last_price, tick)
            group_id = group_id or new.id
            new = msgspec.structs.replace(
                new, order_class=part.order_class, group_id=group_id, group_role=role
            )
            withheld = part.qty if held else ZERO
            change = self._begin(
                new, instrument, reserve, obstacle, tape_id, at, held=held, withheld=withheld
            )
            if obstacle is None and change.opened is not None:
                self._groups.join(change.opened)
            changes.append(change)
        return changes

    @exactly
    def replace(
        self,
        working: WorkingOrder,
        command: ReplaceOrder,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
        hours: Hours | None = None,
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
        fault = fault or auction_fault(old.time_in_force, hours, at)
        fault = fault or self.risk.rate_fault(draft, at)
        if fault is not None:
            return fault
        fault = self._groups.fault_of_replacing(working, draft)
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        held = old.status == "held"
        # One exit keeps for the other what it keeps for itself.
        freed = [working, *self._groups.exits_of(old)] if is_exit(old) else [working]
        must_reduce = is_exit(old) or old.closes_position
        # What an exit can't fill yet isn't held yet.
        asked = msgspec.structs.replace(draft, qty=draft.qty - working.withheld)
        extended = may_leave_regular_hours(old.extended_hours, hours)
        reserve, obstacle = self._weigh(
            asked,
            instrument,
            last_price,
            at,
            freed=freed,
            must_reduce=must_reduce,
            extended=extended,
        )
        new = self._number(draft, at, None, None if held else last_price, tick)
        new = successor(new, old, tick)
        if obstacle is not None and not held and not old.protects_position:
            return [self._begin(new, instrument, reserve, obstacle, tape_id, at)]
        replaced = self._lifecycle.end(working, "replace", at)
        working.order = msgspec.structs.replace(working.order, replaced_by=new.id)
        ended = msgspec.structs.replace(replaced, order=working.order)
        begun = self._begin(
            new, instrument, reserve, None, tape_id, at, held=held, withheld=working.withheld
        )
        assert begun.opened is not None, "it begins"
        return [ended, *self._groups.replaced(old, begun.opened, at), begun]

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
        if holding is None or not holding.qty:
            return Refused("position_not_open", f"There is no position in {symbol}.")
        lot = Decimal(1) if instrument is None else instrument.lot_size
        draft = closing(holding, command, lot)
        if isinstance(draft, Refused):
            return draft
        fault = fault_of(draft, self.account, instrument, self._limits, None, at)
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        freed = self._orders.working_in(symbol) if command.cancel_orders else []
        reserve, obstacle = self._weigh(
            draft, instrument, last_price, at, freed, closes=True, must_reduce=True
        )
        ended = [] if obstacle else self._cancel_each(freed, at)
        new = self._number(draft, at, None, last_price, tick)
        new = msgspec.structs.replace(new, closes_position=True)
        return [*ended, self._begin(new, instrument, reserve, obstacle, tape_id, at)]

    @exactly
    def protect(
        self,
        command: ProtectPosition,
        instrument: Instrument | None,
        last_price: Decimal | None,
        at: datetime,
        tape_id: str,
    ) -> Refused | list[OrderChanged]:
        """The exits that protected the position before, as they ended, then the new ones.

        When it is refused, the old ones work on.
        """
        holding = self._settlement.holdings.get(command.symbol)
        if holding is None or not holding.qty:
            return Refused("position_not_open", f"There is no position in {command.symbol}.")
        if instrument is None:
            return Refused("unknown_symbol", f"There is no instrument {command.symbol!r}.")
        parts = exits_of(holding, command, instrument)
        if isinstance(parts, Refused):
            return parts
        for role, part in parts:
            fault = fault_of(part, self.account, instrument, self._limits, None, at)
            if fault is not None:
                return of_leg(fault, role)
            if part.order_type == "trailing_stop" and last_price is None:
                return Refused("no_market_price", f"{command.symbol} has not traded yet.")
        fault = exits_fault({role: part for role, part in parts if role is not None})
        if fault is not None:
            return fault
        ended = self._groups.unprotect(command.symbol, at)
        group_id: OrderId | None = None
        begun: list[OrderChanged] = []
        for role, part in parts:
            new = self._number(part, at, None, last_price, instrument.tick_size)
            group_id = group_id or new.id
            new = msgspec.structs.replace(
                new,
                order_class="oco" if len(parts) > 1 else "simple",
                group_id=group_id,
                group_role=role,
                protects_position=True,
            )
            change = self._begin(new, instrument, ZERO, None, tape_id, at)
            assert change.opened is not None, "nothing forbids it"
            self._groups.join(change.opened)
            begun.append(change)
        return [*ended, *begun]

    def _weigh(
        self,
        command: SubmitOrder,
        instrument: Instrument,
        last_price: Decimal | None,
        at: datetime,
        freed: Sequence[WorkingOrder] = (),
        *,
        closes: bool = False,
        must_reduce: bool = False,
        extended: bool = False,
    ) -> tuple[Decimal, Refused | None]:
        """What the order reserves, and what forbids it, when `freed` no longer work.

        `must_reduce`: it is to make a position smaller, and never to open one. `extended`: it may
        fill outside of regular hours.
        """
        paper, tick, limits = self.account.paper, instrument.tick_size, self._limits
        month_value = self._market.turnover.at(at)
        reserve = reserve_for(command, paper, tick, last_price, limits, month_value)
        obstacle = self.risk.obstacle_to(
            command, last_price, freed, closes=closes, extended=extended
        )
        obstacle = obstacle or market_obstacle_to(command, last_price, limits)
        if self.margin.terms is not None:
            if command.side == "sell":
                reserve = value_at_worst(command, paper, tick, last_price, limits)
            return reserve, obstacle or self.margin.obstacle_to(
                command, instrument, paper, reserve, at, freed, must_reduce=must_reduce
            )
        freed_cash, freed_qty = self._orders.freed_without(freed) if freed else (ZERO, ZERO)
        return reserve, obstacle or cash_obstacle_to(
            command,
            reserve=reserve,
            free_cash=self.free_cash + freed_cash,
            free_qty=self.free_qty(command.symbol) + freed_qty,
        )

    def _number(
        self,
        command: SubmitOrder,
        at: datetime,
        ends: datetime | None,
        last_price: Decimal | None,
        tick: Decimal,
    ) -> Order:
        self._order_seq += 1
        extended = self._extended(command)
        return new_order(
            command, self._order_seq, at, ends, last_price, tick, extended_hours=extended
        )

    def _extended(self, command: SubmitOrder) -> bool:
        """Whether it fills outside of regular hours too."""
        return in_extended_hours(command, by_default=self.account.paper.extended_hours)

    def _end_of(self, command: SubmitOrder, hours: Hours | None) -> datetime | None:
        if command.expires_at is not None:
            return command.expires_at.astimezone(UTC)
        if hours is None:
            return None
        if command.time_in_force in ("opg", "cls"):
            return hours.closing
        if command.time_in_force == "day":
            return hours.day_end(extended=self._extended(command))
        return None

    def _begin(
        self,
        new: Order,
        instrument: Instrument,
        reserve: Decimal,
        obstacle: Refused | None,
        tape_id: str,
        at: datetime,
        *,
        held: bool = False,
        withheld: Decimal = ZERO,
    ) -> OrderChanged:
        return self._lifecycle.begin(
            new,
            instrument,
            self.account.paper,
            reserve,
            obstacle,
            tape_id,
            at,
            held=held,
            withheld=withheld,
        )

    @exactly
    def cancel(self, order_id: OrderId, at: datetime) -> list[OrderChanged]:
        """The order, and what of its group goes with it; none when no such order works here."""
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
        return self._cancel_each(orders, at)

    def _cancel_each(self, orders: Sequence[WorkingOrder], at: datetime) -> list[OrderChanged]:
        changes: list[OrderChanged] = []
        for each in orders:
            if each.order.id in self._orders.by_id:  # and not gone with another of its group
                changes += self._groups.cancel(each, at)
        return changes

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
