"""How orders come into the books: checked, weighed, numbered, then at work, held or rejected."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from shared.models.identifiers import Mode, OrderId
from shared.models.orders import Order, SubmitOrder
from shared.trading.amounts import ZERO, exactly
from shared.trading.changes import OrderChanged, WorkingOrder
from shared.trading.checks import cash_obstacle_to, fault_of, market_obstacle_to, reserve_for
from shared.trading.classes import Part, class_fault, exits_fault, of_leg, parts_of
from shared.trading.commissions import Turnover
from shared.trading.drafts import new_order
from shared.trading.funds import Funds
from shared.trading.groups import Groups
from shared.trading.hours import Hours, in_extended_hours, may_leave_regular_hours
from shared.trading.lifecycle import Lifecycle
from shared.trading.margin import Margin, value_at_worst
from shared.trading.notional import sized
from shared.trading.risk_guard import RiskGuard
from shared.trading.settlement import Settlement
from shared.trading.terms import AccountTerms, Instrument, Limits, Refused
from shared.trading.working import WorkingOrders


class Intake:
    def __init__(
        self,
        account: AccountTerms,
        mode: Mode,
        limits: Limits,
        order_seq: int,
        orders: WorkingOrders,
        settlement: Settlement,
        lifecycle: Lifecycle,
        groups: Groups,
        turnover: Turnover,
        margin: Margin,
        risk: RiskGuard,
        funds: Funds,
    ) -> None:
        self.account = account
        self._mode = mode
        self.limits = limits
        #: Last number handed out.
        self._order_seq = order_seq
        self._orders = orders
        self._settlement = settlement
        self._lifecycle = lifecycle
        self._groups = groups
        self._turnover = turnover
        self._margin = margin
        self._risk = risk
        self._funds = funds

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
        when they aren't known. `time_known` is False in a paced run before its first print: `at` is
        not market time then.
        """
        fault = class_fault(command)
        if fault is not None:
            return fault
        if command.notional is not None:
            order = sized(command, instrument, last_price, self.limits)
            if isinstance(order, Refused):
                return order
            command = order
        simple = command.order_class == "simple"
        parts: Sequence[Part] = [(None, command)] if simple else parts_of(command)
        now = at if time_known else None
        for role, part in parts:
            fault = fault_of(part, self.account, instrument, self.limits, hours, now)
            if fault is not None:
                return of_leg(fault, role)
        assert instrument is not None, "fault_of refuses an unknown symbol"
        tick = instrument.tick_size
        ends = self._end_of(command, hours)
        fault = None
        if not simple:
            fault = exits_fault({role: part for role, part in parts if role is not None})
        fault = fault or self._risk.rate_fault(command, at)
        if fault is not None:
            return fault
        extended = may_leave_regular_hours(self._extended(command), hours)
        if not simple:
            return self._begin_group(
                parts, instrument, last_price, at, ends, tape_id, extended=extended
            )
        reserve, obstacle = self.weigh(command, instrument, last_price, at, extended=extended)
        new = self.number(command, at, ends, last_price, tick)
        return [self.begin(new, instrument, reserve, obstacle, tape_id, at)]

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
            self.weigh(
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
            new = self.number(part, at, ends, None if held else last_price, tick)
            group_id = group_id or new.id
            new = msgspec.structs.replace(
                new, order_class=part.order_class, group_id=group_id, group_role=role
            )
            withheld = part.qty if held else ZERO
            change = self.begin(
                new, instrument, reserve, obstacle, tape_id, at, held=held, withheld=withheld
            )
            if obstacle is None and change.opened is not None:
                self._groups.join(change.opened)
            changes.append(change)
        return changes

    # --- what other ways in share -------------------------------------------------------------

    def weigh(
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
        paper, tick, limits = self.account.paper, instrument.tick_size, self.limits
        exchange = self._settlement.exchange
        if instrument.currency != exchange.base:
            exchange.foreign[instrument.symbol] = instrument.currency
        month_value = self._turnover.at(at)
        reserve = reserve_for(command, paper, tick, last_price, limits, month_value)
        obstacle = self._risk.obstacle_to(
            command, last_price, freed, closes=closes, extended=extended
        )
        obstacle = obstacle or market_obstacle_to(command, last_price, limits)
        if self._margin.terms is not None:
            if command.side == "sell":
                reserve = value_at_worst(command, paper, tick, last_price, limits)
            return reserve, obstacle or self._margin.obstacle_to(
                command, instrument, paper, reserve, at, freed, must_reduce=must_reduce
            )
        freed_cash, freed_qty = self._orders.freed_without(freed) if freed else (ZERO, ZERO)
        if command.side == "buy" and command.symbol in exchange.foreign:
            return reserve, obstacle or self._funds.obstacle_abroad(
                command, reserve, freed_cash, at
            )
        return reserve, obstacle or cash_obstacle_to(
            command,
            reserve=reserve,
            free_cash=self._funds.free + freed_cash,
            free_qty=self._settlement.held(command.symbol)
            - self._orders.reserved_qty(command.symbol)
            + freed_qty,
        )

    def number(
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

    def begin(
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
            live=self._mode == "live",
        )

    def _extended(self, command: SubmitOrder) -> bool:
        """Whether it fills outside of regular hours too: live orders leave for these alone."""
        return self._mode == "paper" and in_extended_hours(
            command, by_default=self.account.paper.extended_hours
        )

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
