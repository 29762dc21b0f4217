"""What a strategy hears about its orders."""

from dataclasses import dataclass
from typing import Literal

from shared.models.orders import Execution, Order, OrderStatus, Side

#: An order's new status, or `refused`: it was wrong in itself, and nothing was stored.
OrderEventKind = OrderStatus | Literal["refused"]


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One happening in the life of an order that this deployment sent."""

    kind: OrderEventKind
    #: What `buy` and `sell` returned.
    client_order_id: str
    symbol: str
    side: Side
    #: The order after it; None when it was refused.
    order: Order | None = None
    #: The fill, for the kinds `partially_filled` and `filled`.
    execution: Execution | None = None
    reason_code: str | None = None
    reason: str | None = None
