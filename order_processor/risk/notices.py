"""What the owner of an account is told of the risk ladder's acts. Pure."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from shared.models.identifiers import Mode
from shared.models.risk import Latch, RiskChanged, RiskEventKind

Severity = Literal["info", "warning", "critical"]

#: What is told, and how much it matters; the rest is an answer to the owner's own command.
_SEVERITIES: dict[RiskEventKind, Severity] = {
    "loss_limit_latched": "critical",
    "deployment_loss_latched": "warning",
    "kill_switch_engaged": "critical",
    "platform_halted": "critical",
    "margin_called": "critical",
    "margin_liquidation": "critical",
    "margin_call_met": "info",
}


class NotificationRecord(msgspec.Struct, frozen=True, kw_only=True):
    user_id: UUID
    account_id: UUID
    mode: Mode
    deployment_id: UUID | None
    severity: Severity
    code: str
    text: str
    context: dict[str, Any]


def notice_of(event: RiskChanged, owner_id: UUID, halted: str | None) -> NotificationRecord | None:
    """`halted` is why the platform's kill switch is engaged."""
    severity = _SEVERITIES.get(event.event)
    if severity is None:
        return None
    context: dict[str, Any] = {
        "at": event.at.isoformat(),
        "cancelled": event.cancelled,
        "closing": event.closing,
        "not_closed": list(event.not_closed),
    }
    latch = event.deployment_latch if event.deployment_id is not None else event.loss
    if event.event in ("loss_limit_latched", "deployment_loss_latched") and latch is not None:
        context |= {"limit": latch.limit, "observed": latch.observed, "level": latch.level}
        context["kind"] = latch.kind
    call = event.margin_call
    if call is not None:
        context |= {"equity": call.equity, "requirement": call.requirement}
    return NotificationRecord(
        user_id=owner_id,
        account_id=event.account_id,
        mode=event.mode,
        deployment_id=event.deployment_id,
        severity=severity,
        code=event.event,
        text=_sentence(event, latch, halted),
        context=context,
    )


def _sentence(event: RiskChanged, latch: Latch | None, halted: str | None) -> str:
    call = event.margin_call
    match event.event:
        case "loss_limit_latched" if latch is not None:
            return (
                f"{latch.reason} The limit is {latch.limit}, the loss {latch.observed}: orders "
                "were cancelled and strategies paused."
            )
        case "deployment_loss_latched" if latch is not None:
            return (
                f"A strategy reached its loss limit of {latch.limit} and is paused: it lost "
                f"{latch.observed}."
            )
        case "kill_switch_engaged" if event.kill is not None:
            return f"The account's kill switch was engaged: {event.kill.reason}"
        case "platform_halted":
            return f"The platform's kill switch was engaged: {halted}"
        case "margin_called" if call is not None:
            return (
                f"A margin call: the equity of {call.equity} is below the requirement of "
                f"{call.requirement}. Positions are closed from {call.due_at.isoformat()} on."
            )
        case "margin_liquidation":
            return f"A margin call was not met: {event.closing} positions are being closed."
        case _:
            return "The margin call was met."
