"""One order takes another's place."""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.models.orders import Order, ReplaceOrder
from shared.trading.amounts import exactly
from shared.trading.changes import OrderChanged, WorkingOrder
from shared.trading.checks import fault_of
from shared.trading.drafts import revision, successor
from shared.trading.groups import Groups
from shared.trading.hours import Hours, auction_fault, may_leave_regular_hours
from shared.trading.intake import Intake
from shared.trading.lifecycle import Lifecycle
from shared.trading.requests import PENDING, Requests
from shared.trading.risk_guard import RiskGuard
from shared.trading.terms import Instrument, Refused
from shared.trading.working import is_exit


class Replacement:
    def __init__(
        self,
        intake: Intake,
        lifecycle: Lifecycle,
        groups: Groups,
        requests: Requests,
        risk: RiskGuard,
    ) -> None:
        self._intake = intake
        self._lifecycle = lifecycle
        self._groups = groups
        self._requests = requests
        self._risk = risk

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
        reserved counts as free for the new one. With latency, the old order works on until the
        new one is at the market.
        """
        old = working.order
        draft = PENDING if old.due_at is not None else revision(old, command)
        if isinstance(draft, Refused):
            return draft
        fault = fault_of(draft, self._intake.account, instrument, self._intake.limits, None, at)
        fault = fault or auction_fault(old.time_in_force, hours, at)
        fault = fault or self._risk.rate_fault(draft, at)
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
        reserve, obstacle = self._intake.weigh(
            asked,
            instrument,
            last_price,
            at,
            freed=freed,
            must_reduce=must_reduce,
            extended=extended,
        )
        new = self._intake.number(draft, at, None, None if held else last_price, tick)
        new = successor(new, old, tick)
        if obstacle is not None and not held and not old.protects_position:
            return [self._intake.begin(new, instrument, reserve, obstacle, tape_id, at)]
        if self._requests.take_time(working, self._intake.account.paper):
            begun = self._intake.begin(new, instrument, reserve, None, tape_id, at)
            assert begun.opened is not None, "it begins"
            return [self._requests.replace(working, begun.opened, at), begun]
        return self._swap(working, new, instrument, reserve, tape_id, at)

    def _swap(
        self,
        working: WorkingOrder,
        new: Order,
        instrument: Instrument,
        reserve: Decimal,
        tape_id: str,
        at: datetime,
    ) -> list[OrderChanged]:
        """The old one ends, then the new one begins."""
        old, held = working.order, working.order.status == "held"
        replaced = self._lifecycle.end(working, "replace", at)
        working.order = msgspec.structs.replace(working.order, replaced_by=new.id)
        ended = msgspec.structs.replace(replaced, order=working.order)
        begun = self._intake.begin(
            new, instrument, reserve, None, tape_id, at, held=held, withheld=working.withheld
        )
        assert begun.opened is not None, "it begins"
        return [ended, *self._groups.replaced(old, begun.opened, at), begun]
