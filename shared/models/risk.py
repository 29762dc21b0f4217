"""Latches of an account and mode: what holds its orders up until somebody lets go."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shared.models.base import Message
from shared.models.identifiers import AccountId, Mode


class Latch(msgspec.Struct, frozen=True):
    at: datetime
    #: `user:<uuid>`, or `risk` when nobody did.
    by: str
    reason: str
    #: Positions were to be closed as well.
    flatten: bool
    #: Of a loss limit: what it was, what was lost, and which level set it.
    limit: str | None = None
    observed: str | None = None
    level: str | None = None


class RiskState(msgspec.Struct, frozen=True):
    """Stored with every change of it."""

    loss: Latch | None = None
    kill: Latch | None = None
    #: Profit from which the loss is counted; None before there was a loss limit.
    baseline: Decimal | None = None
    baseline_at: datetime | None = None
    #: How often the books were flattened: numbers the orders that do it.
    flattened: int = 0


RiskEventKind = Literal[
    "loss_limit_latched",
    "loss_limit_acknowledged",
    "kill_switch_engaged",
    "kill_switch_released",
    "platform_halted",
]


class RiskChanged(Message, frozen=True, tag="risk"):
    """Frame of the topic `accounts.{id}.{mode}.risk`, and the notification to send."""

    account_id: AccountId
    mode: Mode
    event: RiskEventKind
    at: datetime
    urgent: bool
    loss: Latch | None
    kill: Latch | None
    #: Orders that were cancelled, orders made to close positions, and positions left open.
    cancelled: int
    closing: int
    not_closed: tuple[str, ...]
    tape_id: str
