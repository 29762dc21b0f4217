"""Between Alpaca's words and ours. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from order_processor.brokers.alpaca import messages
from order_processor.brokers.broker import Capabilities, OrderTicket, Revision
from order_processor.brokers.errors import (
    BrokerAwayError,
    BrokerError,
    BrokerStoppedError,
    OrderRefusedError,
)
from shared.models.brokers import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    BrokerStatus,
    BrokerUpdate,
)
from shared.models.identifiers import Symbol
from shared.trading.amounts import plain

CAPABILITIES = Capabilities(
    order_types=frozenset({"market", "limit", "stop", "stop_limit", "trailing_stop"}),
    times_in_force=frozenset({"day", "gtc", "ioc", "fok"}),
    order_classes=frozenset({"simple", "bracket", "oco", "oto"}),
    fractional_types=frozenset({"market"}),
    fractional_times_in_force=frozenset({"day"}),
    extended_hours=True,
    replaces=True,
    refuses_repeated_ids=True,
)

#: `done_for_day` lives again tomorrow, so it works. A suspended one may come back as well.
_STATUS: dict[str, BrokerStatus] = {
    "accepted": "pending",
    "pending_new": "pending",
    "pending_review": "pending",
    "accepted_for_bidding": "pending",
    "held": "pending",
    "new": "working",
    "pending_cancel": "working",
    "pending_replace": "working",
    "done_for_day": "working",
    "stopped": "working",
    "suspended": "working",
    "calculated": "working",
    "partially_filled": "partially_filled",
    "filled": "filled",
    "canceled": "cancelled",
    "expired": "expired",
    "replaced": "replaced",
    "rejected": "rejected",
}
_CREDENTIALS = 40110000
REPEATED_ID = "client_order_id must be unique"


class NotUnderstoodError(ValueError):
    """They said what they can't mean."""


def order_of(said: messages.Order) -> BrokerOrder:
    status = _STATUS.get(said.status)
    if status is None:
        raise NotUnderstoodError(f"an order can't be {said.status!r}")
    if said.side not in ("buy", "sell"):
        raise NotUnderstoodError(f"an order can't {said.side!r}")
    filled = _amount("filled_qty", said.filled_qty)
    average = said.filled_avg_price
    if filled and (average is None or not average.is_finite() or average <= 0):
        raise NotUnderstoodError("a fill has a price")
    if status == "working" and filled:
        status = "partially_filled"
    return BrokerOrder(
        client_order_id=said.client_order_id,
        broker_order_id=said.id,
        symbol=Symbol(said.symbol),
        side="buy" if said.side == "buy" else "sell",
        qty=None if said.qty is None else _amount("qty", said.qty),
        status=status,
        filled_qty=filled,
        filled_avg_price=plain(average) if filled and average is not None else None,
        at=_aware(said.updated_at),
    )


def position_of(said: messages.Position) -> BrokerPosition:
    if not said.qty.is_finite():
        raise NotUnderstoodError(f"a position can't be {said.qty}")
    price = _amount("avg_entry_price", said.avg_entry_price)
    return BrokerPosition(symbol=Symbol(said.symbol), qty=plain(said.qty), avg_price=price)


def account_of(said: messages.Account) -> BrokerAccount:
    for amount in (said.cash, said.equity, said.buying_power):
        if not amount.is_finite():
            raise NotUnderstoodError(f"an account can't hold {amount}")
    blocked = said.trading_blocked or said.account_blocked or said.trade_suspended_by_user
    return BrokerAccount(
        number=said.account_number,
        currency=said.currency,
        cash=plain(said.cash),
        equity=plain(said.equity),
        buying_power=plain(said.buying_power),
        may_trade=said.status == "ACTIVE" and not blocked,
    )


def update_of(said: messages.TradeUpdate) -> BrokerUpdate:
    order = order_of(said.order)
    if said.event not in ("fill", "partial_fill"):
        return BrokerUpdate(order=order)
    return BrokerUpdate(
        order=order,
        execution_id=said.execution_id,
        qty=None if said.qty is None else _amount("qty", said.qty),
        price=None if said.price is None else _amount("price", said.price),
    )


def ticket_body(ticket: OrderTicket) -> dict[str, Any]:
    body = {
        "symbol": str(ticket.symbol),
        "qty": _text(ticket.qty),
        "side": ticket.side,
        "type": ticket.order_type,
        "time_in_force": ticket.time_in_force,
        "limit_price": _text(ticket.limit_price),
        "stop_price": _text(ticket.stop_price),
        "trail_price": _text(ticket.trail_price),
        "trail_percent": _text(ticket.trail_percent),
        "extended_hours": True if ticket.extended_hours else None,
        "client_order_id": ticket.client_order_id,
    }
    return {name: value for name, value in body.items() if value is not None}


def revision_body(revision: Revision) -> dict[str, Any]:
    body = {
        "qty": _text(revision.qty),
        "limit_price": _text(revision.limit_price),
        "stop_price": _text(revision.stop_price),
        "trail": _text(revision.trail),
        "client_order_id": revision.client_order_id,
    }
    return {name: value for name, value in body.items() if value is not None}


def error_of(status: int, said: messages.Fault) -> BrokerError:
    """Of an answer below 500 that isn't a success."""
    message = said.message or f"HTTP {status}"
    if status == 401 or said.code == _CREDENTIALS:
        return BrokerStoppedError("broker_credentials", "The broker does not know these keys.")
    if status == 429:
        return BrokerAwayError("broker_busy", "The broker wants fewer requests.")
    if status == 408:
        return BrokerAwayError("broker_away", message)
    return OrderRefusedError("broker_refused", message)


def _amount(name: str, amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount < 0:
        raise NotUnderstoodError(f"{name} can't be {amount}")
    return plain(amount)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{plain(amount):f}"


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise NotUnderstoodError("a time has an offset")
    return at
