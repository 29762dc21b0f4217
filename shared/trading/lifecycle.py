"""The steps of working orders: who works, who has ended, and why."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.models.orders import Order
from shared.trading.amounts import ZERO, rounded
from shared.trading.changes import OrderChanged, WorkingOrder
from shared.trading.orders import Transition, Trigger, transition
from shared.trading.paper_terms import PaperTerms
from shared.trading.settlement import Settlement
from shared.trading.terms import Instrument, Refused
from shared.trading.working import WorkingOrders


class Lifecycle:
    def __init__(self, orders: WorkingOrders, settlement: Settlement) -> None:
        self._orders = orders
        self._settlement = settlement

    def begin(
        self,
        new: Order,
        instrument: Instrument,
        terms: PaperTerms,
        reserve: Decimal,
        obstacle: Refused | None,
        tape_id: str,
        at: datetime,
        *,
        held: bool = False,
        withheld: Decimal = ZERO,
        live: bool = False,
    ) -> OrderChanged:
        """Accepted and working, or held, or rejected because of `obstacle`. A live one is new
        until its broker has accepted it."""
        working = WorkingOrder(
            new,
            instrument.tick_size,
            instrument.lot_size,
            terms,
            ZERO if obstacle else reserve,
            tape_id,
            steps=1,
            shortable=instrument.shortable,
            withheld=withheld,
        )
        born = Transition(new.id, 1, None, "new", None, at)
        if obstacle is not None:
            taken = step(working, "reject", at, obstacle)
        elif live:
            self._orders.start(working, fresh=True)
            return OrderChanged(working.order, (born,), self._settlement.cash, working)
        else:
            taken = step(working, "hold" if held else "accept", at)
            self._orders.start(working, fresh=True)
        return OrderChanged(working.order, (born, taken), self._settlement.cash, working)

    def take_on(
        self, working: WorkingOrder, qty: Decimal, price: Decimal, at: datetime
    ) -> Transition:
        """The order with what has filled of it: done, or at work for the rest. The caller has
        added it to the order's value."""
        order, filled_qty = working.order, working.order.filled_qty + qty
        average = rounded(working.value / filled_qty) if order.filled_qty else price
        if filled_qty == order.qty:
            self._orders.stop(working)
            return step(working, "fill", at, filled_qty=filled_qty, filled_avg_price=average)
        after = msgspec.structs.replace(order, filled_qty=filled_qty, filled_avg_price=average)
        self._orders.refit(working, after, working.withheld)
        return step(working, "fill_part", at)

    def end(
        self, working: WorkingOrder, trigger: Trigger, at: datetime, why: Refused | None = None
    ) -> OrderChanged:
        ended = step(working, trigger, at, why)
        self._orders.stop(working)
        return OrderChanged(working.order, (ended,), self._settlement.cash)


def step(
    working: WorkingOrder,
    trigger: Trigger,
    at: datetime,
    why: Refused | None = None,
    **changed: Any,
) -> Transition:
    """Take the order to its next status, with what has `changed` of it."""
    working.steps += 1
    taken = transition(working.order, trigger, working.steps, at, why.code if why else None)
    working.order = msgspec.structs.replace(
        working.order,
        status=taken.to_status,
        reason_code=why.code if why else None,
        reason=_sentence(why) if why else None,
        updated_at=at,
        **changed,
    )
    return taken


def _sentence(why: Refused) -> str:
    if why.limit is None or why.observed is None:
        return why.message
    return f"{why.message} Limit {why.limit}, observed {why.observed}."
