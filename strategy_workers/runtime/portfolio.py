"""What a deployment knows of its account, exactly as of the frames that it has taken in. Pure."""

from decimal import Decimal
from typing import Self

import msgspec

from shared.models.orders import (
    Order,
    OrderExecuted,
    OrderStatus,
    OrderUpdated,
    Side,
)

_ZERO = Decimal(0)
FILLS: frozenset[OrderStatus] = frozenset({"filled", "partially_filled"})
ENDED: frozenset[OrderStatus] = frozenset(
    {"filled", "cancelled", "rejected", "expired", "replaced"}
)


class Holding(msgspec.Struct, frozen=True):
    qty: Decimal
    avg_price: Decimal


class WorkingOrder(msgspec.Struct):
    """An order that this deployment sent and that hasn't ended yet."""

    symbol: str
    side: Side
    open_qty: Decimal
    limit_price: Decimal | None
    #: None until the order processor's answer.
    order_id: str | None = None
    cancelling: bool = False

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(
            symbol=order.symbol,
            side=order.side,
            open_qty=order.qty - order.filled_qty,
            limit_price=order.limit_price,
            order_id=str(order.id),
        )


class Portfolio(msgspec.Struct):
    """Cash and positions are the account's; working orders are the deployment's own."""

    cash: Decimal = _ZERO
    holdings: dict[str, Holding] = {}
    #: By client order id.
    working: dict[str, WorkingOrder] = {}
    #: Last frames taken in of the account's `orders` and `executions` topics.
    orders_seq: int = 0
    executions_seq: int = 0

    def position(self, symbol: str) -> Decimal:
        holding = self.holdings.get(symbol)
        return holding.qty if holding else _ZERO

    def pending(self, symbol: str, side: Side) -> Decimal:
        return sum(
            (
                order.open_qty
                for order in self.working.values()
                if order.symbol == symbol and order.side == side and not order.cancelling
            ),
            _ZERO,
        )

    def executed(self, seq: int, event: OrderExecuted) -> None:
        self.executions_seq = seq
        self.cash = event.cash
        position = event.position
        self.holdings[position.symbol] = Holding(position.qty, position.avg_price)
        self._follow(event.order)

    def updated(self, seq: int, event: OrderUpdated) -> None:
        self.orders_seq = seq
        self._follow(event.order)

    def answered(self, order: Order) -> None:
        """The answer to a command names the order, so that it can be cancelled."""
        mine = self.working.get(order.client_order_id)
        if mine is not None:
            mine.order_id = str(order.id)

    def _follow(self, order: Order) -> None:
        mine = self.working.get(order.client_order_id)
        if mine is None:
            return
        if order.status in ENDED:
            del self.working[order.client_order_id]
            return
        if mine.order_id is None:
            mine.order_id = str(order.id)
        # Frames of two topics may cross: an order's open quantity only ever shrinks.
        mine.open_qty = min(mine.open_qty, order.qty - order.filled_qty)
