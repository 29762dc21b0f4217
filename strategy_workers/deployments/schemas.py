from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.database.tables import (
    DeploymentLogRow,
    DeploymentParametersRow,
    DeploymentPlotRow,
    DeploymentRow,
    SignalRow,
)
from shared.models.identifiers import Mode, Timeframe
from strategy_workers.deployments.actions import WorkingOrders

T = TypeVar("T")
StrategyVersion = Annotated[int, Field(ge=1, le=2**31 - 1)]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,31}$")]


class DeploymentRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_id: UUID
    mode: Mode = "paper"
    strategy: Annotated[str, Field(min_length=1, max_length=100)]
    parameters: Annotated[dict[str, Any], Field(max_length=100)] = Field(default_factory=dict)
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=50)]
    timeframe: Timeframe = "1m"
    #: Of an uploaded strategy; without it the newest that is approved.
    strategy_version: StrategyVersion | None = None


class PauseRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    working_orders: WorkingOrders = "cancel_entries"


class ParametersChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parameters: Annotated[dict[str, Any], Field(max_length=100)] = Field(default_factory=dict)
    strategy_version: StrategyVersion | None = None
    #: The one that the change is made to; left out, whichever it is.
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.parameters and self.strategy_version is None:
            raise ValueError("name parameters or a version of the strategy")
        return self


class DeploymentView(BaseModel):
    id: UUID
    account_id: UUID
    mode: str
    strategy: str
    strategy_version: int | None
    parameters: dict[str, Any]
    parameters_version: int
    applied_version: int
    symbols: list[str]
    timeframe: str
    wanted: str
    status: str
    last_error: str | None
    #: Why it waits by itself, until its market data comes again.
    hold: str | None
    signals: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: DeploymentRow) -> Self:
        return cls.model_validate(row, from_attributes=True)


class SignalView(BaseModel):
    seq: int
    symbol: str
    side: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, row: SignalRow) -> Self:
        return cls.model_validate(row, from_attributes=True)


class ParametersView(BaseModel):
    version: int
    strategy_version: int | None
    parameters: dict[str, Any]
    requested_at: datetime
    tape_id: str | None
    applied_at: datetime | None

    @classmethod
    def of(cls, row: DeploymentParametersRow) -> Self:
        return cls.model_validate(row, from_attributes=True)


class LogLineView(BaseModel):
    seq: int
    level: str
    message: str
    fields: dict[str, str]
    at: datetime | None
    stored_at: datetime

    @classmethod
    def of(cls, row: DeploymentLogRow) -> Self:
        return cls.model_validate(row, from_attributes=True)


class PlotPointView(BaseModel):
    seq: int
    name: str
    symbol: str | None
    value: float
    at: datetime

    @classmethod
    def of(cls, row: DeploymentPlotRow) -> Self:
        return cls.model_validate(row, from_attributes=True)


class Page(BaseModel, Generic[T]):
    """Newest first."""

    items: list[T]
    next_cursor: str | None
