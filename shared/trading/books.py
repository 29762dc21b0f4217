"""The books of one account and mode: what commands, prints and time do to them.

Every method returns what changed, oldest first, as values that can be stored and published;
a refusal changes nothing. Nothing here knows of time but what it is told.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.orders import ClosePositions, Execution, Order, ReplaceOrder, SubmitOrder
from shared.trading.amounts import ZERO, exactly, shown
from shared.trading.changes import (
    Change,
    Deposited,
    OrderChanged,
    OrderFilled,
    StopMoved,
    WorkingOrder,
    execution_id_of,
)
from shared.trading.checks import fault_of, obstacle_to, reserve_for
from shared.trading.costs import notional_of
from shared.trading.drafts import closing, new_order, revision, successor
from shared.trading.ledger import Ledger
from shared.trading.matching import (
    Reach,
    awaits_trigger,
    fill_price,
    trailed,
    triggers,
    with_mark,
)
from shared.trading.orders import Transition, Trigger, transition
from shared.trading.positions import Holding, after_fill
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused
from shared.trading.tickets import AT_ONCE
from shared.trading.working import WorkingOrders

_MISSED = Refused("not_filled_at_once", "The first print did not reach the limit.")


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


class Books:
    def __init__(self, account: AccountTerms, mode: Mode, limits: Limits, state: BooksState):
        #: Replaced by the owner when the account's terms change.
        self.account = account
        self.mode = mode
        self._limits = limits
        self._ledger = Ledger(account.base_currency, state.cash, state.ledger_seq)
        self._order_seq = state.order_seq
        self._execution_seq = state.execution_seq
        self._holdings = {holding.symbol: holding for holding in state.holdings}
        self._orders = WorkingOrders()
        for working, fresh in state.working:
            self._orders.start(working, fresh=fresh)

    # --- reading -----------------------------------------------------------------------------

    @property
    def cash(self) -> Decimal:
        return self._ledger.balance

    @property
    def free_cash(self) -> Decimal:
        """Cash net of what working buys reserve."""
        return self._ledger.balance - self._orders.reserved_cash

    @property
    def is_open(self) -> bool:
        return self._ledger.seq > 0

    @property
    def working(self) -> Mapping[OrderId, WorkingOrder]:
        return self._orders.by_id

    @property
    def holdings(self) -> Mapping[Symbol, Holding]:
        return self._holdings

    def free_qty(self, symbol: Symbol) -> Decimal:
        """Position net of working sells."""
        holding = self._holdings.get(symbol)
        return (holding.qty if holding else ZERO) - self._orders.reserved_qty(symbol)

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
        value = unrealized = ZERO
        for holding in self._holdings.values():
            if holding.qty:
                price = prices.get(holding.symbol)
                worth = holding.cost if price is None else holding.value(price)
                value += worth
                unrealized += worth - holding.cost
        return self.cash + value, unrealized

    # --- commands ----------------------------------------------------------------------------

    @exactly
    def open(self, at: datetime) -> list[Change]:
        """The first deposit, when it is missing."""
        if self.is_open:
            return []
        capital = self.account.paper_capital if self.mode == "paper" else ZERO
        return [Deposited(self._ledger.enter("deposit", capital, at))]

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
        reserve, obstacle = self._weigh(command, tick, last_price)
        ends = session_close if command.time_in_force == "day" else command.expires_at
        ends = None if ends is None else ends.astimezone(UTC)
        new = self._number(command, at, ends, last_price, tick)
        return self._take(new, tick, reserve, obstacle, tape_id, at)

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
        reserve, obstacle = self._weigh(draft, tick, last_price, freed=[working])
        new = successor(self._number(draft, at, None, last_price, tick), old, tick)
        if obstacle is not None:
            return [self._take(new, tick, reserve, obstacle, tape_id, at)]
        replaced = self._end(working, "replace", at)
        working.order = msgspec.structs.replace(working.order, replaced_by=new.id)
        ended = msgspec.structs.replace(replaced, order=working.order)
        return [ended, self._take(new, tick, reserve, None, tape_id, at)]

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
        holding = self._holdings.get(symbol)
        if holding is None or holding.qty <= 0:
            return Refused("position_not_open", f"There is no position in {symbol}.")
        draft = closing(holding, command)
        fault = fault_of(draft, self.account, instrument, self._limits, None, at)
        if fault is not None:
            return fault
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        freed = self._orders.working_in(symbol) if command.cancel_orders else []
        reserve, obstacle = self._weigh(draft, tick, last_price, freed=freed)
        ended = [] if obstacle else [self._end(each, "cancel", at) for each in freed]
        new = self._number(draft, at, None, last_price, tick)
        new = msgspec.structs.replace(new, closes_position=True)
        return [*ended, self._take(new, tick, reserve, obstacle, tape_id, at)]

    def _weigh(
        self,
        command: SubmitOrder,
        tick: Decimal,
        last_price: Decimal | None,
        freed: Sequence[WorkingOrder] = (),
    ) -> tuple[Decimal, Refused | None]:
        """What the order reserves, and what forbids it, when `freed` no longer work."""
        reserve = reserve_for(command, self.account.costs, tick, last_price, self._limits)
        selling = [each.order.qty for each in freed if each.order.side == "sell"]
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

    def _take(
        self,
        new: Order,
        tick: Decimal,
        reserve: Decimal,
        obstacle: Refused | None,
        tape_id: str,
        at: datetime,
    ) -> OrderChanged:
        working = WorkingOrder(
            order=new,
            tick=tick,
            reserved=ZERO if obstacle else reserve,
            tape_id=tape_id,
            steps=1,
        )
        born = Transition(new.id, 1, None, "new", None, at)
        if obstacle is not None:
            step = self._step(working, "reject", at, obstacle)
        else:
            step = self._step(working, "accept", at)
            self._orders.start(working, fresh=True)
        return OrderChanged(working.order, (born, step), self.cash, working)

    @exactly
    def cancel(self, order_id: OrderId, at: datetime) -> OrderChanged | None:
        """None when no such order works here."""
        working = self._orders.by_id.get(order_id)
        return None if working is None else self._end(working, "cancel", at)

    @exactly
    def cancel_all(self, symbol: Symbol | None, at: datetime) -> list[OrderChanged]:
        """All working orders, or those in one symbol, in order of submission."""
        return [self._end(each, "cancel", at) for each in self._orders.working_in(symbol)]

    # --- market ------------------------------------------------------------------------------

    @exactly
    def meet_print(self, symbol: Symbol, price: Decimal, at: datetime) -> list[Change]:
        """A trade was printed: fill what it fills, in order of submission."""
        changes: list[Change] = []
        for working, first_print in self._orders.met_by(symbol, float(price)):
            change = self._meet(working, price, at, first_print=first_print)
            if change is not None:
                changes.append(change)
        return changes

    def _meet(
        self,
        working: WorkingOrder,
        price: Decimal,
        at: datetime,
        *,
        first_print: bool,
    ) -> Change | None:
        steps: tuple[Transition, ...] = ()
        if awaits_trigger(working.order):
            if not triggers(working.order, price):
                return self._wait_on(working, price)
            steps = (self._trigger(working, at),)
            first_print = True
        order = working.order
        at_price = fill_price(
            order, price, self.account.costs, working.tick, first_print=first_print
        )
        change: OrderChanged | OrderFilled
        if at_price is not None:
            change = self._fill_or_cancel(working, at_price, at)
        elif order.time_in_force in AT_ONCE:
            change = self._end(working, "cancel", at, _MISSED)
        else:
            self._orders.rest(working)
            # Without steps, it only seemed to reach the limit.
            return OrderChanged(order, steps, self.cash) if steps else None
        return msgspec.structs.replace(change, transitions=(*steps, *change.transitions))

    def _wait_on(self, working: WorkingOrder, price: Decimal) -> Change | None:
        """The print did not reach the stop; it may have moved it."""
        moved = trailed(working.order, price)
        if moved:
            working.order = with_mark(working.order, price, working.tick)
        self._orders.rest(working)
        return StopMoved(working.order) if moved else None

    def _trigger(self, working: WorkingOrder, at: datetime) -> Transition:
        step = self._step(working, "trigger", at)
        working.order = msgspec.structs.replace(working.order, triggered_at=at)
        return step

    @exactly
    def expire(self, now: datetime) -> list[Change]:
        """End the DAY and GTD orders whose time has come by `now`."""
        changes: list[Change] = []
        while (due := self._orders.next_to_end()) is not None:
            assert due.order.expires_at is not None, "it has an end"
            if due.order.expires_at > now:
                break
            changes.append(self._end(due, "expire", now))
        return changes

    def forget_prints(self) -> list[Change]:
        """A new run begins: what was printed before it has no meaning for it."""
        changes: list[Change] = []
        for working in self._orders.by_id.values():
            order = working.order
            if awaits_trigger(order) and order.hwm is not None:
                working.order = with_mark(order, None, working.tick)
                changes.append(StopMoved(working.order))
        self._orders.forget_prints()
        return changes

    # --- steps -------------------------------------------------------------------------------

    def _fill_or_cancel(
        self, working: WorkingOrder, price: Decimal, at: datetime
    ) -> OrderChanged | OrderFilled:
        order = working.order
        qty = order.qty - order.filled_qty
        notional = notional_of(qty, price, order.side)
        fee = self.account.costs.fee(notional)
        flow = -notional if order.side == "buy" else notional
        if self.cash + flow - fee < 0:
            short = Refused(
                "insufficient_cash",
                "The fill would have taken cash below zero.",
                limit=shown(self.cash),
                observed=shown(fee - flow),
            )
            return self._end(working, "cancel", at, short)
        holding = self._holdings.get(order.symbol, Holding(order.symbol))
        traded = qty if order.side == "buy" else -qty
        if holding.qty + traded < 0:
            naked = Refused(
                "insufficient_position",
                "The fill would have sold more than the position.",
                limit=shown(holding.qty),
                observed=shown(qty),
            )
            return self._end(working, "cancel", at, naked)
        return self._fill(working, holding, qty, price, flow, fee, at)

    def _fill(
        self,
        working: WorkingOrder,
        holding: Holding,
        qty: Decimal,
        price: Decimal,
        flow: Decimal,
        fee: Decimal,
        at: datetime,
    ) -> OrderFilled:
        order = working.order
        traded = qty if order.side == "buy" else -qty
        after, realized = after_fill(holding, traded, flow, fee, at)
        self._orders.stop(working)
        self._holdings[order.symbol] = after
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
        entries = [self._ledger.enter("fill", flow, at, execution.id)]
        if fee:
            entries.append(self._ledger.enter("fee", -fee, at, execution.id))
        working.order = msgspec.structs.replace(order, filled_qty=order.qty, avg_fill_price=price)
        step = self._step(working, "fill", at)
        return OrderFilled(working.order, (step,), execution, after, tuple(entries), self.cash)

    def _end(
        self, working: WorkingOrder, trigger: Trigger, at: datetime, why: Refused | None = None
    ) -> OrderChanged:
        step = self._step(working, trigger, at, why)
        self._orders.stop(working)
        return OrderChanged(working.order, (step,), self.cash)

    def _step(
        self, working: WorkingOrder, trigger: Trigger, at: datetime, why: Refused | None = None
    ) -> Transition:
        working.steps += 1
        step = transition(working.order, trigger, working.steps, at, why.code if why else None)
        working.order = msgspec.structs.replace(
            working.order,
            status=step.to_status,
            reason_code=why.code if why else None,
            reason=_sentence(why) if why else None,
            updated_at=at,
        )
        return step


def _sentence(why: Refused) -> str:
    if why.limit is None or why.observed is None:
        return why.message
    return f"{why.message} Limit {why.limit}, observed {why.observed}."
