"""HTTP shapes of parity reports."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.database.tables import BacktestRow
from strategy_workers.deployments.schemas import StrategyVersion


class ParityRequest(BaseModel):
    """What is to be otherwise than it is now; what isn't named is as it is now."""

    model_config = ConfigDict(extra="forbid")

    owner_id: UUID
    #: The newest that the deployment was there for when left out.
    replay_id: UUID | None = None
    #: What is left out is as the account has it now.
    paper_terms: dict[str, Any] = Field(default_factory=dict)
    #: Of an uploaded strategy; those of the run when left out.
    strategy_version: StrategyVersion | None = None
    #: Market files in place of those of the replay.
    file_ids: Annotated[list[UUID] | None, Field(min_length=1, max_length=50)] = None


class ParityView(BaseModel):
    id: UUID
    deployment_id: UUID
    replay_id: UUID | None
    status: str
    rows_done: int
    rows_total: int | None
    error_code: str | None
    error: str | None
    #: None until it is done.
    summary: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: BacktestRow) -> Self:
        return cls.listed(row, row.request["run"]["replay_id"])

    @classmethod
    def listed(cls, row: BacktestRow, replay_id: str | None) -> Self:
        names = [name for name in ParityView.model_fields if name != "replay_id"]
        return cls.model_validate(
            {"replay_id": replay_id, **{name: getattr(row, name) for name in names}}
        )


class ParityReport(ParityView):
    #: None until it is done.
    report: dict[str, Any] | None
