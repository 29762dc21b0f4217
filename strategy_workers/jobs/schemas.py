"""HTTP shapes of backtests."""

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.models.identifiers import Mode, Timeframe
from strategy_workers.deployments.schemas import Symbol

MOST_COMPARED = 10


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StoredCandles(_Input):
    source: Literal["candles"]
    #: Of the store; the strategy's own when left out.
    timeframe: Timeframe | None = None


class MarketFiles(_Input):
    source: Literal["files"]
    file_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)]


class BacktestRequest(_Input):
    owner_id: UUID
    strategy: Annotated[str, Field(min_length=1, max_length=100)]
    #: Of an uploaded strategy; the newest approved one when left out.
    strategy_version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    parameters: Annotated[dict[str, Any], Field(max_length=100)] = Field(default_factory=dict)
    symbols: Annotated[list[Symbol], Field(max_length=50)] = Field(default_factory=list)
    timeframe: Timeframe = "1m"
    data: Annotated[StoredCandles | MarketFiles, Field(discriminator="source")]
    #: Days in UTC, both included.
    start: date | None = None
    end: date | None = None
    capital: Annotated[Decimal, Field(gt=0, le=10**12)] = Decimal(100_000)
    paper_terms: dict[str, Any] = Field(default_factory=dict)
    #: Of a margin account; None of a cash account.
    margin_terms: dict[str, Any] | None = None
    #: The instruments' own when left out.
    borrow_fee_bps: Annotated[Decimal, Field(ge=0, le=10_000)] | None = None
    client_backtest_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None

    @property
    def digest(self) -> str:
        """SHA-256 of all that was asked."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class DeployRequest(_Input):
    account_id: UUID
    mode: Mode = "paper"


class Repetition(BaseModel):
    """What is the same as in the backtest that was repeated."""

    same_result: bool
    same_data: bool
    same_code: bool


class BacktestView(BaseModel):
    id: UUID
    owner_id: UUID
    client_backtest_id: str | None
    status: str
    #: As it is run: with defaults, and the terms of the instruments.
    request: dict[str, Any]
    repeat_of: UUID | None
    #: None until both are done.
    repetition: Repetition | None
    attempts: int
    rows_done: int
    rows_total: int | None
    error_code: str | None
    error: str | None
    #: None until it is done.
    summary: dict[str, Any] | None
    code_version: str | None
    data_digest: str | None
    result_digest: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Any, original: Any) -> Self:
        both = original is not None and row.status == original.status == "done"
        repetition = None
        if both:
            repetition = Repetition(
                same_result=row.result_digest == original.result_digest,
                same_data=row.data_digest == original.data_digest,
                same_code=row.code_version == original.code_version,
            )
        names = [name for name in cls.model_fields if name != "repetition"]
        return cls(repetition=repetition, **{name: getattr(row, name) for name in names})


class ComparedFigure(BaseModel):
    name: str
    #: As text for people, in the order of the backtests.
    values: list[str]


class Comparison(BaseModel):
    items: list[BacktestView]
    figures: list[ComparedFigure]
    #: The settings that aren't all alike.
    differences: list[ComparedFigure]
