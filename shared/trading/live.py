"""The live side of one set of books: what the broker says of an order becomes its steps.

The broker tells what has filled as a whole, so what was told before changes nothing, and a fill
that was missed is in the next word. What can't be true of the order as it was sent is not taken at
all: it is for a person, and the books stay as they are.
"""

from datetime import datetime
from decimal import Decimal

from shared.models.brokers import FINAL, BrokerAccount, BrokerPosition, BrokerUpdate
from shared.models.identifiers import Symbol
from shared.models.orders import Order
from shared.trading.amounts import CENT, ZERO, rounded, shown
from shared.trading.changes import (
    BrokerNoted,
    Difference,
    LiveChange,
    OrderChanged,
    OrderFilled,
    WorkingOrder,
)
from shared.trading.costs import flow_of
from shared.trading.lifecycle import Lifecycle, step
from shared.trading.orders import WORKING, Trigger
from shared.trading.settlement import Settlement
from shared.trading.terms import Refused

_REJECTED = "broker_rejected"
#: How an order ends that the broker had accepted.
_ENDS: dict[str, tuple[Trigger, Refused | None]] = {
    "cancelled": ("cancel", None),
    "expired": ("expire", None),
    "rejected": ("cancel", Refused(_REJECTED, "The broker took the order back.")),
    "replaced": ("cancel", Refused("broker_replaced", "It was replaced at the broker.")),
}


class LiveMarket:
    def __init__(self, lifecycle: Lifecycle, settlement: Settlement) -> None:
        self._lifecycle = lifecycle
        self._settlement = settlement

    def want_cancel(self, working: WorkingOrder) -> BrokerNoted:
        """It ends when the broker says so."""
        working.cancel_wanted = True
        return BrokerNoted(working.order, working.broker_order_id, cancel_wanted=True)

    def hear(
        self, working: WorkingOrder, update: BrokerUpdate, at: datetime
    ) -> list[LiveChange] | Difference:
        """Nothing, when it was known."""
        said = update.order
        why = _contradiction(working, update)
        if why is not None:
            return Difference("contradiction", working.order.client_order_id, why, said.status)
        changes: list[LiveChange] = []
        if working.broker_order_id is None and said.broker_order_id:
            working.broker_order_id = said.broker_order_id
            changes.append(BrokerNoted(working.order, said.broker_order_id, working.cancel_wanted))
        if working.order.status == "new":
            if said.status == "rejected" and not said.filled_qty:
                reason = said.reason or "The broker rejected the order."
                why_not = Refused(_REJECTED, reason)
                return [*changes, self._lifecycle.end(working, "reject", at, why_not)]
            taken = step(working, "accept", at)
            changes.append(OrderChanged(working.order, (taken,), self._settlement.cash))
        more = said.filled_qty - working.order.filled_qty
        if more > 0:
            changes.append(self._fill(working, more, _price_of(working, update, more), at))
        if working.order.status in WORKING and said.status in _ENDS:
            trigger, because = _ENDS[said.status]
            changes.append(self._lifecycle.end(working, trigger, at, because))
        return changes

    def _fill(
        self, working: WorkingOrder, qty: Decimal, price: Decimal, at: datetime
    ) -> OrderFilled:
        value = qty * price
        settled = self._settlement.settle(
            working, qty, price, flow_of(working.order.side, value), ZERO, at
        )
        working.value += value
        taken = self._lifecycle.take_on(working, qty, price, at)
        return OrderFilled(
            working.order,
            (taken,),
            settled.execution,
            settled.holding,
            settled.strategy_holding,
            settled.lots,
            settled.entries,
            self._settlement.cash,
        )


def _contradiction(working: WorkingOrder, update: BrokerUpdate) -> str | None:
    """Why this can't be said of the order; old news is none."""
    order, said = working.order, update.order
    if (said.symbol, said.side) != (order.symbol, order.side):
        return f"the order is to {order.side} {order.symbol}"
    if said.qty is not None and said.qty != order.qty:
        return f"the order is for {shown(order.qty)}, not {shown(said.qty)}"
    known = working.broker_order_id
    if known is not None and said.broker_order_id != known:
        return f"the order is the broker's {known}"
    if said.filled_qty > order.qty:
        return f"{shown(said.filled_qty)} of {shown(order.qty)} can't have filled"
    if said.status == "filled" and said.filled_qty != order.qty:
        return f"it can't be filled with {shown(said.filled_qty)} of {shown(order.qty)}"
    if said.status in FINAL and said.filled_qty < order.filled_qty:
        return f"{shown(order.filled_qty)} had filled, not {shown(said.filled_qty)}"
    more = said.filled_qty - order.filled_qty
    if more > 0 and _price_of(working, update, more) <= 0:
        return "what filled has no price that goes with the average"
    return None


def _price_of(working: WorkingOrder, update: BrokerUpdate, more: Decimal) -> Decimal:
    """Of what is new: the fill's own, or what the average price leaves for it."""
    if update.qty == more and update.price is not None:
        return update.price
    average = update.order.filled_avg_price
    if average is None:
        return ZERO
    return rounded((average * update.order.filled_qty - working.value) / more)


def ended_difference(order: Order, update: BrokerUpdate) -> Difference | None:
    """What the broker says of an order that has ended here; None when it agrees, or tells what
    was before."""
    said = update.order
    if update.listed:
        return Difference(
            "works_after_end", order.client_order_id, order.status, f"{said.status} at the broker"
        )
    if said.filled_qty > order.filled_qty:
        return Difference(
            "filled_after_end",
            order.client_order_id,
            f"{order.status}, {shown(order.filled_qty)} filled",
            f"{said.status}, {shown(said.filled_qty)} filled",
        )
    return None


def differences_of(
    cash: Decimal,
    held: dict[Symbol, Decimal],
    account: BrokerAccount,
    positions: tuple[BrokerPosition, ...],
) -> tuple[Difference, ...]:
    """Between the books and the broker's; cash by the cent."""
    found = []
    if abs(account.cash - cash) >= CENT:
        found.append(Difference("cash", "", shown(cash), shown(account.cash)))
    theirs = {each.symbol: each.qty for each in positions}
    for symbol in sorted(held.keys() | theirs.keys()):
        ours, other = held.get(symbol, ZERO), theirs.get(symbol, ZERO)
        if ours != other:
            found.append(Difference("position", str(symbol), shown(ours), shown(other)))
    return tuple(found)
