from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api_gateway.values import Exact, Input, PositiveDecimal, Remark, Symbol, UtcTime, View
from shared.models.identifiers import Mode
from shared.models.risk import LossKind
from shared.trading.risk import Level

Count = Annotated[int, Field(ge=0, le=100_000)]
Rate = Annotated[int, Field(ge=1, le=10_000)]
Symbols = Annotated[list[Symbol], Field(max_length=1000)]
Reason = Annotated[Remark, Field(examples=["Feed looks wrong"])]


class DeploymentLimits(Input):
    """What is absent is not limited at this level."""

    max_order_value: Annotated[
        PositiveDecimal | None,
        Field(description="Of one order, in the account's currency.", examples=["25000"]),
    ] = None
    max_open_orders: Count | None = None
    max_orders_per_second: Rate | None = None
    max_orders_per_minute: Rate | None = None
    price_collar_percent: Annotated[
        PositiveDecimal | None,
        Field(description="How far beyond the last price a limit may be.", examples=["5"]),
    ] = None
    allowed_symbols: Annotated[
        Symbols | None, Field(description="No others; absent allows all.")
    ] = None
    blocked_symbols: Annotated[Symbols, Field(default_factory=list)]
    sessions: Annotated[
        Literal["regular", "extended"] | None,
        Field(description="`regular`: no orders that fill outside of regular hours too."),
    ] = None
    max_loss: Annotated[
        PositiveDecimal | None,
        Field(
            description="Realised and unrealised, of an account since it was first limited, of a "
            "strategy since its start; of both since the last acknowledgement.",
            examples=["2500"],
        ),
    ] = None
    flatten_on_loss: Annotated[
        bool, Field(description="At a loss limit of this level close the positions too.")
    ] = False

    @model_validator(mode="after")
    def _check_collar(self) -> Self:
        if self.price_collar_percent is not None and self.price_collar_percent > 100:
            raise ValueError("price_collar_percent must be at most 100")
        return self


class AccountLimits(DeploymentLimits):
    max_position_value: Annotated[
        PositiveDecimal | None, Field(description="Of one symbol.", examples=["50000"])
    ] = None
    max_gross_exposure: Annotated[
        PositiveDecimal | None,
        Field(description="Of all positions and working buys.", examples=["200000"]),
    ] = None
    max_session_loss: Annotated[
        PositiveDecimal | None,
        Field(
            description="Realised and unrealised, since the session began or the last "
            "acknowledgement in it.",
            examples=["1000"],
        ),
    ] = None
    max_strategies: Annotated[Count | None, Field(description="That may run at once.")] = None


class LimitsView(View):
    level: Level
    #: Id of the user, account or deployment; empty for the platform.
    subject: str
    mode: Mode
    #: As they were set; what is absent is not limited at this level.
    limits: dict[str, Any]
    changed_by: str | None
    changed_at: UtcTime | None


class KillSwitch(Input):
    reason: Reason
    flatten: Annotated[bool, Field(description="Close the positions too, at the market.")] = False


class AccountKillSwitch(KillSwitch):
    mode: Mode = "paper"


class Acknowledgement(Input):
    mode: Mode = "paper"


class LatchView(View):
    at: UtcTime
    by: str
    reason: str
    flatten: bool
    limit: str | None
    observed: str | None
    level: Level | None
    #: Of a loss limit.
    kind: LossKind | None


class DeploymentLossView(View):
    deployment_id: UUID
    #: None when it has none any more.
    limit: Exact | None
    loss: Exact
    latch: LatchView | None


class LimitUseView(View):
    kind: str
    level: Level
    limit: str
    used: str


class StrategiesUse(View):
    used: int
    #: None without a limit.
    allowed: int | None
    level: Level | None


class RiskView(View):
    account_id: UUID
    mode: Mode
    at: UtcTime
    gross_exposure: Exact
    net_exposure: Exact
    #: Since `loss_since`; below zero it is a gain.
    loss: Exact
    loss_since: UtcTime | None
    #: Of the session under way; None while no limit asks for it.
    session_loss: Exact | None
    #: The session's date, by the calendar of ORDER_RISK_SESSION_EXCHANGE.
    session_day: date | None
    open_orders: int
    loss_latch: LatchView | None
    kill_switch: LatchView | None
    #: Why the platform's kill switch is engaged.
    platform_halted: str | None
    limits: list[LimitUseView]
    #: Strategies with a loss limit that have traded, or have a latch.
    deployments: list[DeploymentLossView]
    strategies: StrategiesUse


class PlatformSwitchView(View):
    engaged: bool
    reason: str
    flatten: bool
    changed_by: str | None
    changed_at: UtcTime | None


class AuditEntry(View):
    id: int
    account_id: UUID | None
    mode: Mode | None
    actor: str
    ip: str | None
    user_agent: str | None
    request_id: str
    command: str
    order_id: UUID | None
    client_order_id: str | None
    symbol: str | None
    detail: dict[str, Any] | None
    outcome: Literal["accepted", "rejected", "refused", "repeated"]
    code: str | None
    limit_value: str | None
    observed: str | None
    level: str | None
    at: UtcTime
