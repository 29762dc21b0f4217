"""The risk ladder's words: latches, which hold an account's orders up until somebody lets go; the
commands that engage and release them; and what is told of them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from shared.models.base import Message
from shared.models.cash import ForeignCashMarked
from shared.models.identifiers import AccountId, Mode
from shared.models.margin import Carried, MarginCall, MarginFigures, MarginTerms


class Origin(msgspec.Struct, frozen=True):
    """Where a person's command came from, for the audit trail."""

    ip: str
    user_agent: str


LossKind = Literal["max_loss", "max_session_loss"]


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
    #: Which limit it was, of a loss limit.
    kind: LossKind | None = None


class SessionLoss(msgspec.Struct, frozen=True):
    """What the loss of a session is counted from."""

    #: Date of the session, and the paced run that it belongs to; empty where the clock is the time.
    day: date
    run_id: str
    #: Profit when it began, or at the last acknowledgement.
    baseline: Decimal


class DeploymentLoss(msgspec.Struct, frozen=True):
    #: Its own profit at the last acknowledgement; before one, it counts from its start.
    baseline: Decimal = Decimal(0)
    latch: Latch | None = None


class RiskState(msgspec.Struct, frozen=True):
    """Stored with every change of it."""

    loss: Latch | None = None
    kill: Latch | None = None
    #: Profit from which the loss is counted; None before there was a loss limit.
    baseline: Decimal | None = None
    baseline_at: datetime | None = None
    #: How often the books were flattened: numbers the orders that do it.
    flattened: int = 0
    #: Of a margin account whose equity is below the maintenance requirement.
    margin_call: MarginCall | None = None
    #: Of a margin account; None before its first day.
    carried: Carried | None = None
    #: None before there was a session loss limit.
    session: SessionLoss | None = None
    #: Of deployments whose loss limit was reached once.
    deployments: dict[UUID, DeploymentLoss] = {}


# --- commands ---------------------------------------------------------------------------------


class EngageKillSwitch(Message, frozen=True, tag="engage_kill_switch"):
    """Cancel all orders, take no more, pause the strategies; `flatten` closes positions as well.

    Engaged again it changes nothing, but flattens when that is asked for the first time.
    """

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    submitted_by: str
    reason: str
    flatten: bool = False
    origin: Origin | None = None


class ReleaseKillSwitch(Message, frozen=True, tag="release_kill_switch"):
    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    submitted_by: str
    origin: Origin | None = None


class AcknowledgeLoss(Message, frozen=True, tag="acknowledge_loss"):
    """Let orders pass again after a loss limit was reached; the loss counts anew from here. Of the
    account's loss limits, or of a deployment's own."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    submitted_by: str
    origin: Origin | None = None
    deployment_id: UUID | None = None


class ChangeMargin(Message, frozen=True, tag="change_margin"):
    """Make it a margin account of these terms, or with None a cash account."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    submitted_by: str
    terms: MarginTerms | None
    origin: Origin | None = None


class SeeRisk(Message, frozen=True, tag="see_risk"):
    """Tell how things stand; changes nothing."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode


class FollowLimits(Message, frozen=True, tag="follow_limits"):
    """Of the shard that the account leads to, whether or not there is such an account: take in the
    limits and the platform's switch of this version, and answer when what follows is durable."""

    request_id: str
    reply_to: str
    account_id: AccountId
    mode: Mode
    #: Of `risk_platform`.
    version: int


RiskCommand = EngageKillSwitch | ReleaseKillSwitch | AcknowledgeLoss | ChangeMargin | SeeRisk


# --- what they are told -----------------------------------------------------------------------


class LimitUse(msgspec.Struct, frozen=True):
    kind: str
    level: str
    limit: str
    used: str


class DeploymentLossUse(msgspec.Struct, frozen=True):
    """Of a deployment that has a loss limit, or a latch of one."""

    deployment_id: UUID
    limit: Decimal | None
    loss: Decimal
    latch: Latch | None


class RiskReply(Message, frozen=True, tag="risk_reply"):
    """How the books stand after the commit, at the last prices."""

    request_id: str
    at: datetime
    state: RiskState
    gross_exposure: Decimal
    net_exposure: Decimal
    #: Since the reset that the loss limit counts from; below zero it is a gain.
    loss: Decimal
    open_orders: int
    #: Why the platform's kill switch is engaged; None when it isn't.
    halted: str | None
    limits: tuple[LimitUse, ...]
    #: Of a margin account; None of a cash account.
    margin_terms: MarginTerms | None = None
    margin: MarginFigures | None = None
    #: By currency, where something is held in another than the account's.
    foreign_cash: dict[str, ForeignCashMarked] | None = None
    #: Of the session under way; None while no limit asks for it.
    session_loss: Decimal | None = None
    deployments: tuple[DeploymentLossUse, ...] = ()


class LimitsFollowed(Message, frozen=True, tag="limits_followed"):
    request_id: str
    #: At least the one that was asked for.
    version: int


RiskEventKind = Literal[
    "loss_limit_latched",
    "loss_limit_acknowledged",
    "kill_switch_engaged",
    "kill_switch_released",
    "platform_halted",
    "margin_called",
    "margin_call_met",
    "margin_liquidation",
    "deployment_loss_latched",
    "deployment_loss_acknowledged",
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
    margin_call: MarginCall | None = None
    #: Of what concerns one deployment alone: which, and its latch.
    deployment_id: UUID | None = None
    deployment_latch: Latch | None = None
