"""The books of one account and mode: what commands, prints and time do to them.

Every method returns what changed, oldest first, as values that can be stored and published;
a refusal changes nothing. Nothing here knows of time but what it is told.
"""

import heapq
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import Mode, OrderId, Symbol
from shared.models.orders import Execution, Order, SubmitOrder
from shared.trading.amounts import ZERO, exactly, plain, shown
from shared.trading.changes import (
    Change,
    Deposited,
    OrderChanged,
    OrderFilled,
    StopMoved,
    WorkingOrder,
    execution_id_of,
    order_id_of,
)
from shared.trading.checks import fault_of, obstacle_to, reserve_for
from shared.trading.costs import notional_of
from shared.trading.ledger import Ledger
from shared.trading.matching import (
    NOTHING_WORKS,
    OrderQueue,
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
        self._working: dict[OrderId, WorkingOrder] = {}
        self._queues: dict[Symbol, OrderQueue] = {}
        #: DAY and GTD orders by their end; those that don't work any more are dropped when they
        #: come up.
        self._ends: list[tuple[datetime, int, OrderId]] = []
        self._reserved_cash = ZERO
        self._reserved_qty: dict[Symbol, Decimal] = {}
        for working, fresh in state.working:
            self._start_working(working, fresh=fresh)

    # --- reading -----------------------------------------------------------------------------

    @property
    def cash(self) -> Decimal:
        return self._ledger.balance

    @property
    def free_cash(self) -> Decimal:
        """Cash net of what working buys reserve."""
        return self._ledger.balance - self._reserved_cash

    @property
    def is_open(self) -> bool:
        return self._ledger.seq > 0

    @property
    def working(self) -> Mapping[OrderId, WorkingOrder]:
        return self._working

    @property
    def holdings(self) -> Mapping[Symbol, Holding]:
        return self._holdings

    def free_qty(self, symbol: Symbol) -> Decimal:
        """Position net of working sells."""
        holding = self._holdings.get(symbol)
        return (holding.qty if holding else ZERO) - self._reserved_qty.get(symbol, ZERO)

    def reach(self, symbol: Symbol) -> Reach:
        """Which prints of `symbol` can matter here."""
        queue = self._queues.get(symbol)
        return NOTHING_WORKS if queue is None else queue.reach()

    def next_expiry(self) -> datetime | None:
        """When the next working DAY or GTD order ends."""
        while self._ends and self._ends[0][2] not in self._working:
            heapq.heappop(self._ends)
        return self._ends[0][0] if self._ends else None

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
        reserve = reserve_for(command, self.account.costs, tick, last_price, self._limits)
        obstacle = obstacle_to(
            command,
            last_price=last_price,
            reserve=reserve,
            free_cash=self.free_cash,
            free_qty=self.free_qty(command.symbol),
            limits=self._limits,
        )
        self._order_seq += 1
        ends = session_close if command.time_in_force == "day" else command.expires_at
        new = _new_order(command, self._order_seq, at, ends)
        if new.type == "trailing_stop" and last_price is not None:
            new = with_mark(new, last_price, tick)
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
            self._start_working(working, fresh=True)
        return OrderChanged(working.order, (born, step), self.cash, working)

    @exactly
    def cancel(self, order_id: OrderId, at: datetime) -> OrderChanged | None:
        """None when no such order works here."""
        working = self._working.get(order_id)
        return None if working is None else self._end(working, "cancel", at)

    # --- market ------------------------------------------------------------------------------

    @exactly
    def meet_print(self, symbol: Symbol, price: Decimal, at: datetime) -> list[Change]:
        """A trade was printed: fill what it fills, in order of submission."""
        queue = self._queues.get(symbol)
        if queue is None:
            return []
        changes: list[Change] = []
        for _, order_id, first_print in queue.met_by(float(price)):
            change = self._meet(queue, self._working[order_id], price, at, first_print=first_print)
            if change is not None:
                changes.append(change)
        return changes

    def _meet(
        self,
        queue: OrderQueue,
        working: WorkingOrder,
        price: Decimal,
        at: datetime,
        *,
        first_print: bool,
    ) -> Change | None:
        steps: tuple[Transition, ...] = ()
        if awaits_trigger(working.order):
            if not triggers(working.order, price):
                return self._wait_on(queue, working, price)
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
            queue.add(order, fresh=False)
            # Without steps, it only seemed to reach the limit.
            return OrderChanged(order, steps, self.cash) if steps else None
        return msgspec.structs.replace(change, transitions=(*steps, *change.transitions))

    def _wait_on(self, queue: OrderQueue, working: WorkingOrder, price: Decimal) -> Change | None:
        """The print did not reach the stop; it may have moved it."""
        moved = trailed(working.order, price)
        if moved:
            working.order = with_mark(working.order, price, working.tick)
        queue.add(working.order, fresh=False)
        return StopMoved(working.order) if moved else None

    def _trigger(self, working: WorkingOrder, at: datetime) -> Transition:
        step = self._step(working, "trigger", at)
        working.order = msgspec.structs.replace(working.order, triggered_at=at)
        return step

    @exactly
    def expire(self, now: datetime) -> list[Change]:
        """End the DAY and GTD orders whose time has come by `now`."""
        changes: list[Change] = []
        while (end := self.next_expiry()) is not None and end <= now:
            changes.append(self._end(self._working[self._ends[0][2]], "expire", now))
        return changes

    def forget_prints(self) -> list[Change]:
        """A new run begins: what was printed before it has no meaning for it."""
        changes: list[Change] = []
        for working in self._working.values():
            order = working.order
            if awaits_trigger(order) and order.hwm is not None:
                working.order = with_mark(order, None, working.tick)
                changes.append(StopMoved(working.order))
        for symbol, queue in self._queues.items():
            queue.forget_prints(
                [each.order for each in self._working.values() if each.order.symbol == symbol]
            )
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
        self._stop_working(working)
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
        self._stop_working(working)
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

    def _start_working(self, working: WorkingOrder, *, fresh: bool) -> None:
        order = working.order
        self._working[order.id] = working
        if order.expires_at is not None:
            heapq.heappush(self._ends, (order.expires_at, order.seq, order.id))
        self._reserved_cash += working.reserved
        if order.side == "sell":
            self._reserved_qty[order.symbol] = (
                self._reserved_qty.get(order.symbol, ZERO) + order.qty
            )
        queue = self._queues.get(order.symbol)
        if queue is None:
            queue = self._queues[order.symbol] = OrderQueue(self._working.__contains__)
        queue.add(order, fresh=fresh)

    def _stop_working(self, working: WorkingOrder) -> None:
        order = working.order
        del self._working[order.id]
        self._reserved_cash -= working.reserved
        if order.side == "sell":
            self._reserved_qty[order.symbol] -= order.qty


def _new_order(command: SubmitOrder, seq: int, at: datetime, expires_at: datetime | None) -> Order:
    return Order(
        id=order_id_of(command.account_id, command.mode, command.client_order_id),
        account_id=command.account_id,
        mode=command.mode,
        client_order_id=command.client_order_id,
        submitted_by=command.submitted_by,
        deployment_id=command.deployment_id,
        symbol=command.symbol,
        side=command.side,
        type=command.order_type,
        time_in_force=command.time_in_force,
        qty=plain(command.qty),
        limit_price=_plain(command.limit_price),
        status="new",
        filled_qty=ZERO,
        avg_fill_price=None,
        reason_code=None,
        reason=None,
        seq=seq,
        submitted_at=at,
        updated_at=at,
        stop_price=_plain(command.stop_price),
        trail_price=_plain(command.trail_price),
        trail_percent=_plain(command.trail_percent),
        expires_at=expires_at,
    )


def _plain(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else plain(amount)


def _sentence(why: Refused) -> str:
    if why.limit is None or why.observed is None:
        return why.message
    return f"{why.message} Limit {why.limit}, observed {why.observed}."
