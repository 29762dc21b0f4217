"""Brackets, OTOs and OCOs as their deployment sees them, until events tell more. Pure.

What the order processor does with them is in `shared/trading/groups.py`: exits wait for their
entry, keep what it has filled once, and go together.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from shared.models.orders import GroupRole, Side
from strategy_workers.runtime.working_order import WorkingOrder
from strategy_workers.sdk.orders import Ticket

_ZERO = Decimal(0)
_OPPOSITE: Mapping[Side, Side] = {"buy": "sell", "sell": "buy"}

Working = Mapping[str, WorkingOrder]


def orders_of(name: str, ticket: Ticket, stop_price: Decimal | None) -> dict[str, WorkingOrder]:
    """By client order id: what a ticket makes. `stop_price`: where the first one's is."""
    symbol, side, qty = ticket.symbol, ticket.side, ticket.qty
    if ticket.order_class == "simple":
        return {name: WorkingOrder(symbol, side, qty, ticket.limit_price, stop_price)}

    def part(role: GroupRole, its_side: Side) -> WorkingOrder:
        limit, stop = ticket.limit_price, stop_price
        if role == "take_profit":
            limit = ticket.take_profit.limit_price if ticket.take_profit else None
            stop = None
        elif role == "stop_loss":
            limit = ticket.stop_loss.limit_price if ticket.stop_loss else None
            stop = ticket.stop_loss.stop_price if ticket.stop_loss else None
        return WorkingOrder(symbol, its_side, qty, limit, stop, group=name, role=role)

    if ticket.order_class == "oco":
        return {name: part("take_profit", side), f"{name}.stop_loss": part("stop_loss", side)}
    found = {name: part("entry", side)}
    if ticket.take_profit is not None:
        found[f"{name}.take_profit"] = part("take_profit", _OPPOSITE[side])
    if ticket.stop_loss is not None:
        found[f"{name}.stop_loss"] = part("stop_loss", _OPPOSITE[side])
    return found


def kept_by_exits(working: Working, symbol: str, side: Side) -> Decimal:
    """What exits of `side` are to close now: once per group, and not what their entry has yet to
    fill."""
    kept: dict[str | None, Decimal] = {}
    for order in working.values():
        if order.is_exit and order.symbol == symbol and order.side == side and not order.cancelling:
            kept[order.group] = max(kept.get(order.group, _ZERO), order.open_qty)
    return sum((_filled(working, group, most) for group, most in kept.items()), _ZERO)


def _filled(working: Working, group: str | None, most: Decimal) -> Decimal:
    unfilled = [o.open_qty for o in working.values() if o.group == group and o.role == "entry"]
    return max(most - max(unfilled, default=_ZERO), _ZERO)


def exits(working: Working, symbol: str) -> list[str]:
    """The name of one exit of each group, which takes the others along."""
    found: dict[str | None, str] = {}
    for name, order in working.items():
        if order.is_exit and order.symbol == symbol and not order.cancelling:
            found.setdefault(order.group, name)
    return list(found.values())


def going_with(working: Working, name: str) -> Iterator[WorkingOrder]:
    """An order that is to be cancelled, and those that go with it."""
    order = working[name]
    yield order
    if order.is_exit:
        for other in working.values():
            if other.group == order.group and other is not order:
                yield other


def not_ended(working: Working, name: str) -> None:
    """Its cancel was refused: it has ended already, or works on and can be asked again."""
    if name in working:
        for order in going_with(working, name):
            order.cancelling = False
