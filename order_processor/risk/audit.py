"""Who did what, and what came of it: one record a command, stored with what it did. Pure."""

from typing import Any
from uuid import UUID

import msgspec

from shared.models.base import Message
from shared.models.cash import ConvertCash, MoveCash
from shared.models.conversions import ConvertPosition
from shared.models.identifiers import Mode
from shared.models.orders import (
    CancelOrder,
    CancelOrders,
    ClosePositions,
    Command,
    CompareBroker,
    HearBroker,
    OpenBooks,
    OrderReply,
    OrdersReply,
    ProtectPosition,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.models.risk import (
    AcknowledgeLoss,
    ChangeMargin,
    EngageKillSwitch,
    FollowLimits,
    ReleaseKillSwitch,
    RiskChanged,
    SeeRisk,
)

_LONGEST = 256
#: Ids of orders that one record lists at most.
_MOST_ORDERS = 100
#: What few orders have; the rest is in `_ticket`.
_RARE = (
    "stop_price",
    "trail_price",
    "trail_percent",
    "expires_at",
    "order_class",
    "take_profit",
    "stop_loss",
)
#: What else the record tells of a command.
_DETAILS: dict[type[Message], tuple[str, ...]] = {
    ReplaceOrder: ("order_id", "qty", "limit_price", "stop_price", "trail_price", "trail_percent"),
    CancelOrder: (),
    CancelOrders: (),
    ClosePositions: ("qty", "percent", "cancel_orders"),
    ProtectPosition: ("take_profit", "stop_loss"),
    ConvertCash: ("from_currency", "to_currency", "amount", "client_entry_id", "reason"),
    ConvertPosition: (
        "from_deployment_id",
        "to_deployment_id",
        "qty",
        "client_conversion_id",
        "reason",
    ),
    MoveCash: ("kind", "amount", "currency", "client_entry_id", "reason", "transfer_id"),
    EngageKillSwitch: ("reason", "flatten"),
    ReleaseKillSwitch: (),
    AcknowledgeLoss: ("deployment_id",),
    ChangeMargin: ("terms",),
}
_COMMANDS: tuple[type[Message], ...] = (SubmitOrder, *_DETAILS)
_NOBODYS_ACT = (OpenBooks, SeeRisk, FollowLimits, HearBroker, CompareBroker)
_TAGS = {kind: str(kind.__struct_config__.tag) for kind in _COMMANDS}


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    account_id: UUID
    mode: Mode
    actor: str
    request_id: str
    command: str
    outcome: str
    ip: str | None = None
    user_agent: str | None = None
    order_id: UUID | None = None
    client_order_id: str | None = None
    symbol: str | None = None
    detail: dict[str, Any] | None = None
    code: str | None = None
    limit_value: str | None = None
    observed: str | None = None
    level: str | None = None


def record_of(command: Command, reply: Reply) -> AuditRecord | None:
    """None for commands that are no one's act: opening the books, looking at them, following what
    was set elsewhere, and a broker's words."""
    if isinstance(command, _NOBODYS_ACT):
        return None
    origin = getattr(command, "origin", None)
    return AuditRecord(
        account_id=command.account_id,
        mode=command.mode,
        actor=_storable(command.submitted_by),
        ip=None if origin is None else _storable(origin.ip),
        user_agent=None if origin is None else _storable(origin.user_agent),
        request_id=_storable(command.request_id),
        command=_TAGS[type(command)],
        client_order_id=_text(command, "client_order_id"),
        symbol=_text(command, "symbol"),
        **_outcome(command, reply),
    )


def record_of_event(event: RiskChanged, actor: str) -> AuditRecord:
    """Of what the risk ladder did by itself."""
    latch = event.loss if event.event == "loss_limit_latched" else None
    if event.event == "deployment_loss_latched":
        latch = event.deployment_latch
    call = event.margin_call if event.event in ("margin_called", "margin_liquidation") else None
    limit_value = observed = level = None
    if latch is not None:
        limit_value, observed, level = latch.limit, latch.observed, latch.level
    elif call is not None:
        limit_value, observed = call.requirement, call.equity
    detail: dict[str, Any] = {"cancelled": event.cancelled, "closing": event.closing}
    if event.deployment_id is not None:
        detail["deployment_id"] = str(event.deployment_id)
    return AuditRecord(
        account_id=event.account_id,
        mode=event.mode,
        actor=actor,
        request_id="risk",
        command=event.event,
        outcome="accepted",
        detail=detail,
        limit_value=limit_value,
        observed=observed,
        level=level,
    )


def _outcome(command: Command, reply: Reply) -> dict[str, Any]:
    if isinstance(command, SubmitOrder):
        detail = _ticket(command)
    else:
        detail = _given(command, _DETAILS[type(command)])
    order_id = command.order_id if isinstance(command, CancelOrder) else None
    if isinstance(reply, Refusal):
        return {
            "outcome": "refused",
            "order_id": order_id,
            "detail": detail,
            "code": reply.code,
            "limit_value": reply.limit,
            "observed": reply.observed,
            "level": reply.level,
        }
    outcome = "repeated" if getattr(reply, "repeated", False) else "accepted"
    code = None
    if isinstance(reply, OrderReply):
        order_id = reply.order.id
        if reply.order.status == "rejected":
            outcome, code = "rejected", reply.order.reason_code
            detail["reason"] = reply.order.reason
    elif isinstance(reply, OrdersReply):
        detail["orders"] = [str(order.id) for order in reply.orders[:_MOST_ORDERS]]
        detail["count"] = len(reply.orders)
    return {"outcome": outcome, "order_id": order_id, "detail": detail, "code": code}


def _ticket(command: SubmitOrder) -> dict[str, Any]:
    """Written out: of all commands most are these."""
    detail: dict[str, Any] = {
        "side": command.side,
        "order_type": command.order_type,
        "time_in_force": command.time_in_force,
        "qty": _plain(command.qty),
    }
    if command.extended_hours is not None:
        detail["extended_hours"] = command.extended_hours
    if command.limit_price is not None:
        detail["limit_price"] = _plain(command.limit_price)
    if command.order_type not in ("market", "limit") or command.order_class != "simple":
        return detail | _given(command, _RARE)
    if command.expires_at is not None:
        detail["expires_at"] = _plain(command.expires_at)
    return detail


def _given(command: Command, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(value) for name in names if (value := getattr(command, name)) is not None}


def _text(command: Command, name: str) -> str | None:
    value = getattr(command, name, None)
    return None if value is None else _storable(value)


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        parts = msgspec.structs.asdict(value)
        return {name: _plain(part) for name, part in parts.items() if part is not None}
    return value if isinstance(value, bool) else _storable(str(value))


def _storable(text: str) -> str:
    """Postgres' text holds no NUL; and nobody may fill the trail with one line."""
    if len(text) <= _LONGEST and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd")[:_LONGEST]
