"""What a deployment knows of its account, exactly as of the frames that it has taken in. Pure."""

from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.orders import Order, OrderExecuted, OrderStatus, OrderUpdated, Side
from strategy_workers.runtime.holdings import NOTHING, Holding, after_own, left_of
from strategy_workers.runtime.working_order import WorkingOrder

_ZERO = Decimal(0)
FILLS: frozenset[OrderStatus] = frozenset({"filled", "partially_filled"})
ENDED: frozenset[OrderStatus] = frozenset(
    {"filled", "cancelled", "rejected", "expired", "replaced"}
)


class Portfolio(msgspec.Struct):
    """Cash and `holdings` are the account's; working orders and `own` are the deployment's."""

    cash: Decimal = _ZERO
    holdings: dict[str, Holding] = {}
    own: dict[str, Holding] = {}
    #: By client order id.
    working: dict[str, WorkingOrder] = {}
    #: Last frames taken in of the account's `orders` and `executions` topics.
    orders_seq: int = 0
    executions_seq: int = 0

    def copy(self) -> "Portfolio":
        """Of one that has no orders."""
        return msgspec.structs.replace(
            self, holdings=dict(self.holdings), own=dict(self.own), working={}
        )

    def pending(self, symbol: str, side: Side) -> Decimal:
        """Without the exits of groups."""
        return sum(
            (
                order.open_qty
                for order in self.working.values()
                if order.symbol == symbol
                and order.side == side
                and not order.cancelling
                and not order.is_exit
            ),
            _ZERO,
        )

    def executed(self, seq: int, event: OrderExecuted, *, mine: bool) -> None:
        """`mine`: the order was sent by this deployment."""
        self.executions_seq = seq
        self.cash = event.cash
        if event.execution.fx_rate is not None:
            return  # in another currency than the account's: no strategy trades in one
        position = event.position
        self.holdings[position.symbol] = Holding(position.qty, position.avg_price)
        execution = event.execution
        own = self.own.get(position.symbol, NOTHING)
        if mine:
            own = after_own(own, execution.side, execution.qty, execution.price)
        self.own[position.symbol] = left_of(own, position.qty)
        self._follow(event.order)

    def updated(self, seq: int, event: OrderUpdated) -> None:
        self.orders_seq = seq
        self._follow(event.order)

    def forget(self, client_order_id: str) -> None:
        """Nothing was made of it, and of its exits."""
        for leg in ("", ".take_profit", ".stop_loss"):
            self.working.pop(client_order_id + leg, None)

    def answered(self, order: Order) -> None:
        """The answer to a command names the order, so that it can be cancelled."""
        mine = self.working.get(order.client_order_id)
        if mine is not None:
            mine.order_id = order.id

    def _follow(self, order: Order) -> None:
        mine = self.working.get(order.client_order_id)
        if mine is None:
            return
        if order.status in ENDED:
            del self.working[order.client_order_id]
            if order.status == "rejected" and order.replaces is not None:
                self.works_on(order.replaces)
            return
        if mine.order_id is None:
            mine.order_id = order.id
        # Frames of two topics may cross: what has filled only ever grows, and an order's open
        # quantity shrinks, unless it follows an entry's.
        mine.filled_qty = max(mine.filled_qty, order.filled_qty)
        left = order.qty - mine.filled_qty
        mine.open_qty = left if mine.is_exit else min(mine.open_qty, left)

    def works_on(self, order_id: UUID) -> None:
        """Its end, or another order in its place, was refused."""
        for order in self.working.values():
            if order.order_id == order_id:
                order.cancelling = False
