"""The life of an order: one table of (state, trigger) → state."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.models.identifiers import OrderId
from shared.models.orders import Order, OrderStatus

Trigger = Literal[
    "submit",
    "accept",
    "hold",
    "reject",
    "activate",
    "resize",
    "trigger",
    "fill_part",
    "fill",
    "cancel",
    "expire",
    "replace",
]

#: None is the state before the order exists. What is not in the table can't happen.
TRANSITIONS: dict[tuple[OrderStatus | None, Trigger], OrderStatus] = {
    (None, "submit"): "new",
    ("new", "accept"): "accepted",
    ("new", "reject"): "rejected",
    # An exit waits for its entry: the first part that fills activates it.
    ("new", "hold"): "held",
    ("held", "activate"): "accepted",
    ("held", "resize"): "held",
    ("held", "cancel"): "cancelled",
    ("held", "expire"): "expired",
    ("held", "replace"): "replaced",
    # Its quantity follows what others of its group have filled or will not fill any more.
    ("accepted", "resize"): "accepted",
    ("partially_filled", "resize"): "partially_filled",
    # A print reached the stop. It stays working: as a limit order, or until its fill right after.
    ("accepted", "trigger"): "accepted",
    ("accepted", "fill_part"): "partially_filled",
    ("accepted", "fill"): "filled",
    ("accepted", "cancel"): "cancelled",
    ("accepted", "expire"): "expired",
    ("accepted", "replace"): "replaced",
    # Each further part is a transition of its own, with its own time.
    ("partially_filled", "fill_part"): "partially_filled",
    ("partially_filled", "fill"): "filled",
    ("partially_filled", "cancel"): "cancelled",
    ("partially_filled", "expire"): "expired",
    # The new order is for what was left of it.
    ("partially_filled", "replace"): "replaced",
}

WORKING: frozenset[OrderStatus] = frozenset({"new", "held", "accepted", "partially_filled"})


class IllegalTransitionError(Exception):
    """A bug: the caller triggered what the order's state does not allow."""


class Transition(msgspec.Struct, frozen=True):
    order_id: OrderId
    #: 1 for the first transition of the order.
    seq: int
    from_status: OrderStatus | None
    to_status: OrderStatus
    reason_code: str | None
    at: datetime


def next_status(status: OrderStatus | None, trigger: Trigger) -> OrderStatus:
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise IllegalTransitionError(f"{trigger} an order that is {status}") from None


def transition(
    order: Order, trigger: Trigger, seq: int, at: datetime, reason_code: str | None = None
) -> Transition:
    """The step that `trigger` makes from the order's present status."""
    return Transition(
        order.id, seq, order.status, next_status(order.status, trigger), reason_code, at
    )
